// Lets the functions without a body in lock.go compile.
