// Package host keeps the name that an instance gives itself, and its domain's:
// sethostname(2), setdomainname(2), uname(2).
//
// Its state is a member of the instance. The lock is a leaf.
package host

import (
	"sync"

	"mult/inst"
	"mult/kern/errno"
)

// MaxName is how long a name may be, in bytes.
const MaxName = 64

// names is an instance's part.
type names struct {
	mu     sync.Mutex
	host   string // [mu]
	domain string // [mu]
}

var slot = inst.NewSlot[names]()

// Member is this package's row in the table of members.
var Member = inst.Member{Name: "host", Alloc: alloc, Free: free}

// alloc lets a child begin with its parent's names.
func alloc(in, parent *inst.Inst) error {
	n := &names{host: "mult", domain: "(none)"}
	if parent != nil {
		n.host, n.domain = Name(parent), Domain(parent)
	}
	slot.Set(in, n)
	return nil
}

func free(in *inst.Inst) { slot.Set(in, nil) }

// Name returns the host name of in.
func Name(in *inst.Inst) string {
	n := slot.Of(in)
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.host
}

// SetName changes the host name of in; EINVAL if it is too long.
func SetName(in *inst.Inst, name string) error {
	if len(name) > MaxName {
		return errno.EINVAL
	}
	n := slot.Of(in)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.host = name
	return nil
}

// Domain returns the domain name of in, that of NIS and not of the DNS.
func Domain(in *inst.Inst) string {
	n := slot.Of(in)
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.domain
}

// SetDomain changes the domain name of in; EINVAL if it is too long.
func SetDomain(in *inst.Inst, name string) error {
	if len(name) > MaxName {
		return errno.EINVAL
	}
	n := slot.Of(in)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.domain = name
	return nil
}
