"""The rules of e-licences, without input, output, clock or chance."""
