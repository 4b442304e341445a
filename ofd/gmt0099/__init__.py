"""GM/T 0099-2020: encryption of documents for named persons, and a signed list of all files."""
