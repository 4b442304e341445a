"""The gateway: what applications may have done with the keys in the machines, without ever holding one."""
