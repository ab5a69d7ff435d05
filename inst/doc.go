// Package inst owns the operating instance itself: its id and name, its place in
// the tree, its state, what it may use, and the slots in which the other packages
// keep their parts of it. It imports none of them.
//
// # The life of an instance
//
// System.New makes one: it reserves name and place, allocates the members in the
// order of their table, and only then lets others find it. If a member can't be
// allocated, those before it are freed in reverse, and it has never been there.
//
// An instance lives as long as somebody has a reference: the one that New returns
// stands for its processes, every child has one of its parent, and who finds an
// instance gets one until he has done with it. The last Release hands it to
// System.Reap, so that members are freed where nobody waits for it.
//
// # Who may look where
//
// An instance sees itself and those below it; for any other it is told that there
// is none (Inst.Find, Inst.Lookup). Code that works for no instance in particular
// walks all of them (System.First, Inst.Next), which takes no lock and no memory. It
// may meet instances whose end has come: members are opened only with a reference
// (Inst.TryRetain).
//
// # Locks
//
// System.mu guards the tree: names, children, the list as far as it changes.
// Inst.mu guards the watchers and makes transitions follow each other; System.Changed
// and the functions of watchers are called with it. Neither is held while a
// member is allocated or freed, and nothing of this package is taken under them.
package inst
