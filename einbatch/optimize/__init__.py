"""Program → program: the passes, one file each; their order is in `pipeline`."""
