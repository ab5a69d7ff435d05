// Package kern puts the kernel together: two ordered lists, the members of an
// instance and the parts of a process (conf.go), and the way from a machine to
// the first process (start.go). The subsystems are the packages below it.
package kern
