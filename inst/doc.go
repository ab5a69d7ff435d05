// Package inst owns the operating instance itself: its id, name, place in the
// tree, what it may use, and the slots in which the other packages keep their
// parts of it. It imports none of them.
package inst
