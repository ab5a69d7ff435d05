package proc

import (
	"slices"
	"sync/atomic"

	"mult/inst"
	"mult/kern/errno"
)

// This file has the calls by which a thread changes its credentials. Each makes
// a new Cred; what a call may do is in setuid(2) and its like.

// noID is the argument that leaves a number as it is.
const noID = ^uint32(0)

// credCharge counts the users of a list of groups, and what it costs.
type credCharge struct {
	refs  atomic.Int64
	in    *inst.Inst
	bytes int64
}

// Retain returns c with one more user, for those who keep it beyond the life
// of the thread they have it from.
func (c *Cred) Retain() *Cred {
	if c.charge != nil {
		c.charge.refs.Add(1)
	}
	return c
}

// Release ends Retain.
func (c *Cred) Release() {
	if g := c.charge; g != nil && g.refs.Add(-1) == 0 {
		g.in.Uncharge(inst.Heap, g.bytes)
	}
}

// Bits of Cred.SecureBits: prctl(2), PR_SET_SECUREBITS.
const (
	SECBIT_NOROOT                      = 1 << 0
	SECBIT_NO_SETUID_FIXUP             = 1 << 2
	SECBIT_KEEP_CAPS                   = 1 << 4
	SECBIT_NO_CAP_AMBIENT_RAISE        = 1 << 6
	secureLocks                 uint32 = 0xaa
	secureAll                   uint32 = 0xff
)

// Capabilities that only matter for files: they follow the file system's user.
const fsCaps = 1<<CAP_CHOWN | 1<<CAP_DAC_OVERRIDE | 1<<CAP_DAC_READ_SEARCH | 1<<CAP_FOWNER |
	1<<CAP_FSETID | 1<<CAP_LINUX_IMMUTABLE | 1<<CAP_MKNOD | 1<<CAP_MAC_OVERRIDE

// setCred makes c, a new value, the credentials of t.
func (t *Thread) setCred(c *Cred) {
	old := t.Cred()
	if c.UID != old.UID {
		t.changeUser(c.UID)
	}
	if c.EUID != old.EUID || c.EGID != old.EGID || c.FSUID != old.FSUID || c.FSGID != old.FSGID ||
		c.Permitted&^old.Permitted != 0 {
		t.Proc.deathSig.Store(0)
		t.Proc.secret.Store(true)
	}
	t.cred.Store(c.Retain())
	old.Release()
}

// changeUser counts t for another user.
func (t *Thread) changeUser(uid uint32) {
	tab := t.Proc.tab
	tab.mu.Lock()
	defer tab.mu.Unlock()
	u, err := tab.takeUserLocked(uid, RLIM_INFINITY)
	if err != nil {
		return // no memory: t stays counted where it was
	}
	tab.putUserLocked(t.user)
	t.user = u
}

// edit returns a copy of t's credentials that shares the list of groups.
func (t *Thread) edit() *Cred {
	c := *t.Cred()
	return &c
}

// fixCaps changes capabilities as the user numbers did.
func (c *Cred) fixCaps(old *Cred) {
	if c.SecureBits&SECBIT_NO_SETUID_FIXUP != 0 {
		return
	}
	hadRoot := old.UID == 0 || old.EUID == 0 || old.SUID == 0
	hasRoot := c.UID == 0 || c.EUID == 0 || c.SUID == 0
	if hadRoot && !hasRoot {
		if c.SecureBits&SECBIT_KEEP_CAPS == 0 {
			c.Permitted, c.Effective = 0, 0
		}
		c.Ambient = 0
	}
	switch {
	case old.EUID == 0 && c.EUID != 0:
		c.Effective = 0
	case old.EUID != 0 && c.EUID == 0:
		c.Effective = c.Permitted
	}
}

// fixFSCaps does so for the user of the file system.
func (c *Cred) fixFSCaps(old *Cred) {
	if c.SecureBits&SECBIT_NO_SETUID_FIXUP != 0 {
		return
	}
	switch {
	case old.FSUID == 0 && c.FSUID != 0:
		c.Effective &^= fsCaps
	case old.FSUID != 0 && c.FSUID == 0:
		c.Effective |= c.Permitted & fsCaps
	}
}

// SetUID implements setuid(2).
func (t *Thread) SetUID(id uint32) error {
	old, c := t.Cred(), t.edit()
	switch {
	case id == noID:
		return errno.EINVAL
	case old.Has(CAP_SETUID):
		c.UID, c.SUID = id, id
	case id != old.UID && id != old.SUID:
		return errno.EPERM
	}
	c.EUID, c.FSUID = id, id
	c.fixCaps(old)
	t.setCred(c)
	return nil
}

// SetREUID implements setreuid(2).
func (t *Thread) SetREUID(r, e uint32) error {
	old, c := t.Cred(), t.edit()
	privileged := old.Has(CAP_SETUID)
	if r != noID {
		if r != old.UID && r != old.EUID && !privileged {
			return errno.EPERM
		}
		c.UID = r
	}
	if e != noID {
		if e != old.UID && e != old.EUID && e != old.SUID && !privileged {
			return errno.EPERM
		}
		c.EUID = e
	}
	if r != noID || e != noID && e != old.UID {
		c.SUID = c.EUID
	}
	c.FSUID = c.EUID
	c.fixCaps(old)
	t.setCred(c)
	return nil
}

// SetRESUID implements setresuid(2).
func (t *Thread) SetRESUID(r, e, s uint32) error {
	old, c := t.Cred(), t.edit()
	for _, id := range []uint32{r, e, s} {
		if id != noID && id != old.UID && id != old.EUID && id != old.SUID && !old.Has(CAP_SETUID) {
			return errno.EPERM
		}
	}
	set(&c.UID, r)
	set(&c.EUID, e)
	set(&c.SUID, s)
	c.FSUID = c.EUID
	c.fixCaps(old)
	t.setCred(c)
	return nil
}

// set sets *id, unless to is noID.
func set(id *uint32, to uint32) {
	if to != noID {
		*id = to
	}
}

// SetFSUID implements setfsuid(2): it returns the number before, in any case.
func (t *Thread) SetFSUID(id uint32) uint32 {
	old := t.Cred()
	if id != noID && id != old.FSUID &&
		(id == old.UID || id == old.EUID || id == old.SUID || old.Has(CAP_SETUID)) {
		c := t.edit()
		c.FSUID = id
		c.fixFSCaps(old)
		t.setCred(c)
	}
	return old.FSUID
}

// SetGID implements setgid(2).
func (t *Thread) SetGID(id uint32) error {
	old, c := t.Cred(), t.edit()
	switch {
	case id == noID:
		return errno.EINVAL
	case old.Has(CAP_SETGID):
		c.GID, c.SGID = id, id
	case id != old.GID && id != old.SGID:
		return errno.EPERM
	}
	c.EGID, c.FSGID = id, id
	t.setCred(c)
	return nil
}

// SetREGID implements setregid(2).
func (t *Thread) SetREGID(r, e uint32) error {
	old, c := t.Cred(), t.edit()
	privileged := old.Has(CAP_SETGID)
	if r != noID {
		if r != old.GID && r != old.EGID && !privileged {
			return errno.EPERM
		}
		c.GID = r
	}
	if e != noID {
		if e != old.GID && e != old.EGID && e != old.SGID && !privileged {
			return errno.EPERM
		}
		c.EGID = e
	}
	if r != noID || e != noID && e != old.GID {
		c.SGID = c.EGID
	}
	c.FSGID = c.EGID
	t.setCred(c)
	return nil
}

// SetRESGID implements setresgid(2).
func (t *Thread) SetRESGID(r, e, s uint32) error {
	old, c := t.Cred(), t.edit()
	for _, id := range []uint32{r, e, s} {
		if id != noID && id != old.GID && id != old.EGID && id != old.SGID && !old.Has(CAP_SETGID) {
			return errno.EPERM
		}
	}
	set(&c.GID, r)
	set(&c.EGID, e)
	set(&c.SGID, s)
	c.FSGID = c.EGID
	t.setCred(c)
	return nil
}

// SetFSGID implements setfsgid(2): it returns the number before, in any case.
func (t *Thread) SetFSGID(id uint32) uint32 {
	old := t.Cred()
	if id != noID && id != old.FSGID &&
		(id == old.GID || id == old.EGID || id == old.SGID || old.Has(CAP_SETGID)) {
		c := t.edit()
		c.FSGID = id
		t.setCred(c)
	}
	return old.FSGID
}

// SetGroups implements setgroups(2). It takes g over, which is at most
// MaxGroups long.
func (t *Thread) SetGroups(g []uint32) error {
	if !t.Cred().Has(CAP_SETGID) {
		return errno.EPERM
	}
	if len(g) > MaxGroups {
		return errno.EINVAL
	}
	c := t.edit()
	c.Groups, c.charge = nil, nil
	if len(g) > 0 {
		n := &credCharge{in: t.Inst(), bytes: int64(cap(g))*4 + 64}
		if !t.Inst().Charge(inst.Heap, n.bytes) {
			return errno.ENOMEM
		}
		slices.Sort(g)
		c.Groups, c.charge = g, n
	}
	t.setCred(c)
	return nil
}

// SetCaps implements capset(2) for t itself.
func (t *Thread) SetCaps(effective, permitted, inheritable uint64) error {
	old, c := t.Cred(), t.edit()
	effective, permitted, inheritable = effective&allCaps, permitted&allCaps, inheritable&allCaps
	switch {
	case !old.Has(CAP_SETPCAP) && inheritable&^(old.Inheritable|old.Permitted) != 0,
		inheritable&^(old.Inheritable|old.Bounding) != 0,
		permitted&^old.Permitted != 0,
		effective&^permitted != 0:
		return errno.EPERM
	}
	c.Effective, c.Permitted, c.Inheritable = effective, permitted, inheritable
	c.Ambient &= permitted & inheritable
	t.setCred(c)
	return nil
}

// DropBound takes capability n out of the bounding set: PR_CAPBSET_DROP.
func (t *Thread) DropBound(n uint64) error {
	switch {
	case !t.Cred().Has(CAP_SETPCAP):
		return errno.EPERM
	case n > CAP_LAST:
		return errno.EINVAL
	}
	c := t.edit()
	c.Bounding &^= 1 << n
	t.setCred(c)
	return nil
}

// SetAmbient puts capability n into the ambient set, or takes it out:
// PR_CAP_AMBIENT_RAISE and LOWER.
func (t *Thread) SetAmbient(n uint64, on bool) error {
	if n > CAP_LAST {
		return errno.EINVAL
	}
	c := t.edit()
	if !on {
		c.Ambient &^= 1 << n
	} else {
		if c.Permitted&c.Inheritable&(1<<n) == 0 || c.SecureBits&SECBIT_NO_CAP_AMBIENT_RAISE != 0 {
			return errno.EPERM
		}
		c.Ambient |= 1 << n
	}
	t.setCred(c)
	return nil
}

// ClearAmbient empties the ambient set.
func (t *Thread) ClearAmbient() {
	c := t.edit()
	c.Ambient = 0
	t.setCred(c)
}

// SetSecureBits implements PR_SET_SECUREBITS.
func (t *Thread) SetSecureBits(bits uint32) error {
	old := t.Cred()
	locked := old.SecureBits & secureLocks >> 1
	if bits&^secureAll != 0 || (old.SecureBits^bits)&locked != 0 ||
		old.SecureBits&secureLocks&^bits != 0 || !old.Has(CAP_SETPCAP) {
		return errno.EPERM
	}
	c := t.edit()
	c.SecureBits = bits
	t.setCred(c)
	return nil
}

// SetKeepCaps implements PR_SET_KEEPCAPS.
func (t *Thread) SetKeepCaps(on bool) error {
	c := t.edit()
	if c.SecureBits&(SECBIT_KEEP_CAPS<<1) != 0 {
		return errno.EPERM
	}
	c.SecureBits &^= SECBIT_KEEP_CAPS
	if on {
		c.SecureBits |= SECBIT_KEEP_CAPS
	}
	t.setCred(c)
	return nil
}

// SetNoNewPrivs implements PR_SET_NO_NEW_PRIVS.
func (t *Thread) SetNoNewPrivs() {
	c := t.edit()
	c.NoNewPrivs = true
	t.setCred(c)
}

// ForExec returns the credentials with which a program starts that is executed
// with c. uid and gid are those of its file if the mode says to take them, else
// nil. secure tells whether the program got rights that its caller doesn't have:
// AT_SECURE.
func (c *Cred) ForExec(uid, gid *uint32) (n *Cred, secure bool) {
	d := *c
	if uid != nil && !c.NoNewPrivs {
		d.EUID = *uid
	}
	if gid != nil && !c.NoNewPrivs {
		d.EGID = *gid
	}
	changed := d.EUID != c.UID || d.EGID != c.GID
	d.SUID, d.FSUID, d.SGID, d.FSGID = d.EUID, d.EUID, d.EGID, d.EGID
	if d.EUID != c.EUID || d.EGID != c.EGID {
		d.Ambient = 0
	}
	d.Permitted, d.Effective = d.Ambient, d.Ambient
	if d.SecureBits&SECBIT_NOROOT == 0 {
		if d.EUID == 0 || d.UID == 0 {
			d.Permitted = c.Inheritable | c.Bounding
		}
		if d.EUID == 0 {
			d.Effective = d.Permitted
		}
	}
	d.SecureBits &^= SECBIT_KEEP_CAPS
	return &d, changed
}
