"""The main job on embedded defaults: from nothing to sealed licences that anybody can verify."""
