// Package kern will hold two ordered lists, the members of an instance and the
// devices, and the order in which the kernel starts. Its subsystems are the
// packages below it, one each.
//
// The lists are empty yet. Of the subsystems, kern/mem (page frames) and
// kern/klog (the kernel log) exist; ARCHITECTURE.md, "The import rule", shows
// the others.
package kern
