"""The command `doctor`: why calls are not there, or not as they should be; one check a module, findings of each."""
