package vfs

import (
	"mult/kern/abi"
	"mult/kern/errno"
	"mult/kern/file"
	"mult/kern/proc"
)

// bare is the vnode, for the time of a call, of an open file that has none of
// its own, such as a pipe: what the call does with the file's owner, mode and
// times is done with those that the open file keeps. The caller of bareLoc keeps
// the file open meanwhile.
type bare struct {
	base  Base
	super *Super     // [const] of nothing else
	f     *file.File // [const]
	stat  abi.Stat   // [const]
}

// bareLoc returns a place for f, retained, in a mount of its own.
func bareLoc(t *proc.Thread, f *file.File) (Loc, error) {
	st, err := f.Stat(t)
	if err != nil {
		return Loc{}, err
	}
	s := &Super{Inst: f.Inst}
	l := Loc{HiddenMount(s), &bare{super: s, f: f, stat: st}}
	l.Retain()
	return l, nil
}

func (b *bare) Base() *Base                     { return &b.base }
func (b *bare) Super() *Super                   { return b.super }
func (b *bare) Access() (mode, uid, gid uint32) { return b.stat.Mode, b.stat.UID, b.stat.GID }
func (b *bare) Attr() abi.Stat                  { return b.stat }
func (b *bare) Retain()                         {}
func (b *bare) Release()                        {}

// SetAttr implements Node. EOPNOTSUPP where nothing can be changed.
func (b *bare) SetAttr(s *SetAttr) error {
	c, ok := b.f.Impl.(file.Changer)
	if !ok {
		return errno.EOPNOTSUPP
	}
	c.Change(s.Apply)
	return nil
}
