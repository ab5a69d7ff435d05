package event

import (
	"mult/inst"
	"mult/kern/errno"
)

// This file keeps epolls that watch epolls within bounds: no rings, no long
// chains, no event that wakes very many.

// link notes that ep watches kid. ELOOP for a ring or a chain of more than
// maxNest, EINVAL if an event could go more than maxPaths ways.
func (ep *Epoll) link(kid *Epoll) error {
	m := slot.Of(ep.in)
	m.mu.Lock()
	defer m.mu.Unlock()
	up, _ := ep.longest(maxNest, func(e *Epoll) map[*Epoll]int { return e.parents }, nil)
	down, ring := kid.longest(maxNest, func(e *Epoll) map[*Epoll]int { return e.kids }, ep)
	if ring || up+down > maxNest {
		return errno.ELOOP
	}
	if ep.kids == nil {
		ep.kids = make(map[*Epoll]int)
	}
	if kid.parents == nil {
		kid.parents = make(map[*Epoll]int)
	}
	ep.kids[kid]++
	kid.parents[ep]++
	if budget := 10 * maxPaths; !kid.bounded(&budget) {
		ep.unlinkLocked(kid)
		return errno.EINVAL
	}
	return nil
}

// unlink undoes link.
func (ep *Epoll) unlink(kid *Epoll) {
	m := slot.Of(ep.in)
	m.mu.Lock()
	defer m.mu.Unlock()
	ep.unlinkLocked(kid)
}

// unlinkLocked is unlink with member.mu held.
func (ep *Epoll) unlinkLocked(kid *Epoll) {
	if ep.kids[kid]--; ep.kids[kid] == 0 {
		delete(ep.kids, kid)
		ep.kids = inst.Shrink(ep.kids, &ep.mostKids)
	}
	if kid.parents[ep]--; kid.parents[ep] == 0 {
		delete(kid.parents, ep)
		kid.parents = inst.Shrink(kid.parents, &kid.mostParents)
	}
}

// longest returns how many epolls the longest chain from ep along the edges
// next has, at most limit+1, and whether seek is in one. member.mu is held; the
// chains are no longer than maxNest, and the ways at most maxPaths.
func (ep *Epoll) longest(limit int, next func(e *Epoll) map[*Epoll]int, seek *Epoll) (int, bool) {
	if ep == seek {
		return 1, true
	}
	if limit == 0 {
		return 1, false
	}
	most := 0
	for e := range next(ep) {
		n, found := e.longest(limit-1, next, seek)
		if found {
			return n + 1, true
		}
		most = max(most, n)
	}
	return most + 1, false
}

// ways returns how many ways lead up from ep, at most maxPaths+1.
func (ep *Epoll) ways(depth int) int {
	n := 0
	for e, times := range ep.parents {
		n += times
		if depth > 0 && n <= maxPaths {
			n += times * e.ways(depth-1)
		}
		if n > maxPaths {
			return maxPaths + 1
		}
	}
	return n
}

// bounded reports whether ep and all below it have few ways up. budget is how
// many epolls may be looked at.
func (ep *Epoll) bounded(budget *int) bool {
	if *budget--; *budget < 0 || ep.ways(maxNest) > maxPaths {
		return false
	}
	for e := range ep.kids {
		if !e.bounded(budget) {
			return false
		}
	}
	return true
}
