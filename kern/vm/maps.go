package vm

// Kind is what an area is for.
type Kind uint8

const (
	KindAnon  Kind = iota
	KindFile       // an Object is behind it
	KindHeap       // of brk(2)
	KindStack      // of the first thread
)

// An Area is a line of /proc/pid/maps.
type Area struct {
	Start, End Addr
	Prot       Prot
	Shared     bool
	Kind       Kind
	Offset     uint64 // in the file
	Path       string
	Dev, Ino   uint64
}

// Areas calls f for each area, rising, until it returns false. No lock is held
// while f runs; what is mapped or unmapped meanwhile may be missed.
func (s *Space) Areas(f func(Area) bool) { s.AreasFrom(0, f) }

// AreasFrom is Areas for those that end above an address.
func (s *Space) AreasFrom(start Addr, f func(Area) bool) {
	var some [16]Area
	var objs [len(some)]Object
	for from, n := uint64(start), len(some); n == len(some); {
		n = 0
		s.mu.RLock()
		for i := s.search(from); i < len(s.areas) && n < len(some); i++ {
			ar := s.areas[i]
			some[n], objs[n] = s.describe(ar), ar.obj
			if ar.obj != nil {
				ar.obj.Retain()
			}
			from = ar.end
			n++
		}
		s.mu.RUnlock()
		more := true
		for i := range n {
			if objs[i] != nil {
				some[i].Path, some[i].Dev, some[i].Ino = objs[i].Name()
				objs[i].Release()
			}
			more = more && f(some[i])
		}
		if !more {
			return
		}
	}
}

// describe returns what there is to say about an area without its object.
func (s *Space) describe(ar *area) Area {
	a := Area{Start: Addr(ar.start), End: Addr(ar.end), Prot: ar.prot, Shared: ar.flags&shared != 0}
	switch {
	case ar.obj != nil:
		a.Kind, a.Offset = KindFile, ar.off
	case ar.flags&stackFlag != 0:
		a.Kind = KindStack
	case s.brk > s.brkStart && ar.start < s.brk && ar.end > s.brkStart:
		a.Kind = KindHeap
	}
	return a
}
