package inst

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"mult/kern/errno"
)

// MaxDepth is how many instances one may hang below.
const MaxDepth = 8

// MaxName is how long a name may be.
const MaxName = 64

// instCharge is what an instance costs its parent, in bytes of Heap, with its place in
// the tree and the small parts that aren't charged by themselves.
const instCharge = 4096

// A System is the instances of a machine. Its exported fields are set before inst0
// is made.
type System struct {
	// Wall returns the time of day, ns since 1970; nil: that of package time.
	Wall func() int64
	// Full tells that the kernel's own memory is used up, whatever instances are
	// charged for: objects that are left of many keep the memory around them.
	// Charge refuses any Heap then. nil: never.
	Full func() bool
	// Reap is called by whoever gives an instance's last reference back: it sees to
	// it that somebody calls Free. nil: Free is called right there.
	Reap func(in *Inst)
	// Changed is told of each transition; see Inst.Watch. nil: nobody.
	Changed func(in *Inst, from, to State)

	members []Member // [const]

	head atomic.Pointer[Inst] // the youngest of the list, by id; changed with mu

	mu     sync.RWMutex
	inst0  *Inst            // [mu]
	byID   map[uint64]*Inst // [mu] those that are listed
	most   int              // [mu] of byID: see Shrink
	nextID uint64           // [mu]
}

// NewSystem returns a System without instances, whose members these will be: they
// are allocated in this order, and freed in reverse.
func NewSystem(members []Member) *System {
	return &System{members: members, byID: make(map[uint64]*Inst)}
}

// First returns the youngest instance of a walk of all, nil if there is none. The walk
// goes on by Inst.Next. It takes no lock and no memory, and is never in the way of
// others; it sees every instance that is there from its beginning to its end, and
// perhaps some that come or go meanwhile.
func (s *System) First() *Inst { return s.head.Load() }

// Count returns how many instances can be found.
func (s *System) Count() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.byID)
}

// New makes an instance below parent; without one it makes inst0. Its state is
// Creating. The caller has its first reference. Beside what a member returns, errors
// are EINVAL for a name that can't be used, EEXIST for one that a sibling has, EBUSY
// if parent is about to end, and EAGAIN if there may be no more instances.
func (s *System) New(parent *Inst, name string) (*Inst, error) {
	in, err := s.reserve(parent, name)
	if err != nil {
		return nil, err
	}
	made, ok := 0, false
	defer func() {
		if !ok { // a panic of a member comes here, too
			in.freeMembers(made)
			s.forget(in)
		}
	}()
	for ; made < len(s.members); made++ {
		if err := s.members[made].Alloc(in, parent); err != nil {
			return nil, fmt.Errorf("instance %s: %s: %w", name, s.members[made].Name, err)
		}
	}
	if err := s.list(in); err != nil {
		return nil, err
	}
	ok = true
	return in, nil
}

// reserve makes an instance without members, and takes its place in the tree.
func (s *System) reserve(parent *Inst, name string) (*Inst, error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	in := &Inst{Parent: parent, sys: s}
	if s.Wall != nil {
		in.Created = s.Wall()
	} else {
		in.Created = time.Now().UnixNano()
	}
	in.name.Store(&name)
	for i := range in.account {
		in.account[i].limit.Store(NoLimit)
	}
	in.refs.Store(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	if parent == nil {
		if s.inst0 != nil {
			return nil, Errorf(errno.EEXIST, "there is an instance without a parent, %s: name a parent", s.inst0.Name())
		}
		s.inst0 = in
	} else if err := in.hangLocked(parent, name); err != nil {
		return nil, err
	}
	in.ID = s.nextID
	s.nextID++
	return in, nil
}

// hangLocked puts in below parent.
func (in *Inst) hangLocked(parent *Inst, name string) error {
	if in.Depth = parent.Depth + 1; in.Depth > MaxDepth {
		return Errorf(errno.EAGAIN, "instance %s: no instance hangs below more than %d others", name, MaxDepth)
	}
	if other := parent.children[name]; other != nil {
		return Errorf(errno.EEXIST, "instance %s is there already: it is %s; use another name, or destroy it first", name, other.State())
	}
	if parent.State() >= Stopping {
		return stopping(parent, name)
	}
	if !parent.Charge(Heap, instCharge) {
		return Errorf(errno.ENOMEM, "instance %s: there is no kernel memory for it in %s", name, parent.Name())
	}
	if !parent.Charge(Instances, 1) {
		parent.Uncharge(Heap, instCharge)
		return Errorf(errno.EAGAIN, "instance %s: the limit of instances below %s is reached; raise it, or destroy one", name, parent.Name())
	}
	if parent.children == nil {
		parent.children = make(map[string]*Inst)
	}
	parent.children[name] = in
	parent.Retain() // the caller has a reference
	return nil
}

func stopping(parent *Inst, name string) error {
	return Errorf(errno.EBUSY, "instance %s: its parent %s is about to end", name, parent.Name())
}

// CheckName says whether an instance can have a name: letters, digits and the signs
// - _ and . but the first sign is a letter or _, so that nobody takes it for an id,
// an option or a path.
func CheckName(name string) error {
	if len(name) > MaxName {
		return Errorf(errno.EINVAL, "the name of an instance has at most %d characters, this one %d", MaxName, len(name))
	}
	for i, c := range []byte(name) {
		letter := c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_'
		if !letter && (i == 0 || (c < '0' || c > '9') && c != '-' && c != '.') {
			return Errorf(errno.EINVAL, "%q is no name for an instance: use letters, digits, - _ and . after a letter", name)
		}
	}
	if name == "" {
		return Errorf(errno.EINVAL, "an instance needs a name")
	}
	return nil
}

// list makes in known, at the place of its id.
func (s *System) list(in *Inst) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	// Who ends parent looks for its children after it is Stopping.
	if p := in.Parent; p != nil && p.State() >= Stopping {
		return stopping(p, in.Name())
	}
	var prev *Inst
	next := s.head.Load()
	for next != nil && next.ID > in.ID {
		prev, next = next, next.next.Load()
	}
	in.prev = prev
	in.next.Store(next)
	if next != nil {
		next.prev = in
	}
	if prev != nil {
		prev.next.Store(in)
	} else {
		s.head.Store(in)
	}
	in.listed = true
	s.byID[in.ID] = in
	return nil
}

// Free frees in, whose last reference is gone, and makes it Dead. Only System.Reap's
// owner calls it. If a member isn't empty, or something is still charged, that is a fault
// of the kernel: Free panics after it has done all that it can, so in is Dead then, too.
func (in *Inst) Free() {
	if in.refs.Load() != 0 {
		panic("inst: freed with references")
	}
	if in.State() != Stopping {
		in.Become(Stopping) // allowed in every state in which there were references
	}
	defer in.Become(Dead)
	defer in.sys.forget(in)
	in.freeMembers(len(in.sys.members))
}

// freeMembers frees the first n members, the last one first, those after one that panics
// as well.
func (in *Inst) freeMembers(n int) {
	if n > 0 {
		defer in.freeMembers(n - 1)
		in.sys.members[n-1].Free(in)
	}
}

// forget ends reserve and list. A walk that stands at in looks for its place again: see
// Next. in leads to no other instance then, and who keeps it, such as a file that watches
// it, doesn't keep others that end later.
func (s *System) forget(in *Inst) {
	s.mu.Lock()
	if in.listed {
		in.listed = false
		next := in.next.Load()
		if next != nil {
			next.prev = in.prev
		}
		if in.prev != nil {
			in.prev.next.Store(next)
		} else {
			s.head.Store(next)
		}
		in.prev = nil
		in.gone.Store(true)
		in.next.Store(nil)
		delete(s.byID, in.ID)
		s.byID = Shrink(s.byID, &s.most)
	}
	p := in.Parent
	if p == nil {
		s.inst0 = nil
	} else {
		delete(p.children, in.Name())
		if len(p.children) == 0 {
			p.children = nil
		}
	}
	s.mu.Unlock()
	if p != nil {
		p.Uncharge(Instances, 1)
		p.Uncharge(Heap, instCharge)
		p.Release()
	}
	for r := range in.account {
		if n := in.account[r].used.Load(); n != 0 {
			panic(fmt.Sprintf("inst: %d %v are charged to instance %d after its end", n, Resource(r), in.ID))
		}
	}
}

// Rename gives in another name. EINVAL for one that can't be used, EEXIST for one that a
// sibling has, EBUSY for inst0.
func (in *Inst) Rename(name string) error {
	if err := CheckName(name); err != nil {
		return err
	}
	if in.Parent == nil {
		return Errorf(errno.EBUSY, "%s keeps its name", in.Name())
	}
	in.sys.mu.Lock()
	defer in.sys.mu.Unlock()
	siblings := in.Parent.children
	if other := siblings[name]; other != nil && other != in {
		return Errorf(errno.EEXIST, "instance %s is there already: it is %s; use another name, or destroy it first", name, other.State())
	}
	delete(siblings, in.Name())
	in.name.Store(&name)
	siblings[name] = in
	return nil
}

// Find returns in or one below it, by id, with a reference. ESRCH: there is none that
// in could know of.
func (in *Inst) Find(id uint64) (*Inst, error) {
	s := in.sys
	s.mu.RLock()
	defer s.mu.RUnlock()
	if o := s.byID[id]; o != nil && (o == in || o.Below(in)) && o.TryRetain() {
		return o, nil
	}
	return nil, Errorf(errno.ESRCH, "there is no instance %d", id)
}

// Lookup returns one below in, with a reference, by its name, or by the names on the
// way with a slash between them. ESRCH: there is none.
func (in *Inst) Lookup(path string) (*Inst, error) {
	s := in.sys
	s.mu.RLock()
	defer s.mu.RUnlock()
	o := in
	for name := range strings.SplitSeq(path, "/") {
		if o = o.children[name]; o == nil || !o.listed { // being made
			return nil, Errorf(errno.ESRCH, "there is no instance %q", path)
		}
	}
	if !o.TryRetain() {
		return nil, Errorf(errno.ESRCH, "there is no instance %q any more", path)
	}
	return o, nil
}

// Children returns those that hang directly below in, each with a reference.
func (in *Inst) Children() []*Inst {
	in.sys.mu.RLock()
	defer in.sys.mu.RUnlock()
	list := make([]*Inst, 0, len(in.children))
	for _, c := range in.children {
		if c.listed && c.TryRetain() {
			list = append(list, c)
		}
	}
	return list
}
