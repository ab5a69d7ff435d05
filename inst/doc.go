// Package inst will own the operating instance itself: its id, name, state,
// reference count, place in the tree, limits, and the slots in which the other
// packages keep their parts of it. It imports none of them.
//
// There is nothing here yet. ARCHITECTURE.md, "Operating instances", says what
// is to come.
package inst
