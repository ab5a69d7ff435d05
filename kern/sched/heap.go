package sched

// An element of a heap knows its place in it.
type element[T any] interface {
	before(T) bool
	spot() *int // -1: in no heap
}

// A heap has the element before all others at index 0.
type heap[T element[T]] []T

func (h *heap[T]) push(e T) {
	*h = append(*h, e)
	*e.spot() = len(*h) - 1
	h.up(len(*h) - 1)
}

// remove takes the element at i out.
func (h *heap[T]) remove(i int) {
	s := *h
	last := len(s) - 1
	*s[i].spot() = -1
	if i != last {
		s[i] = s[last]
		*s[i].spot() = i
	}
	var none T
	s[last] = none
	*h = s[:last]
	if i != last {
		h.fix(i)
	}
}

// fix puts the element at i, which has changed, where it belongs.
func (h *heap[T]) fix(i int) {
	if !h.down(i) {
		h.up(i)
	}
}

func (h *heap[T]) swap(i, j int) {
	s := *h
	s[i], s[j] = s[j], s[i]
	*s[i].spot(), *s[j].spot() = i, j
}

func (h *heap[T]) up(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if !(*h)[i].before((*h)[parent]) {
			return
		}
		h.swap(i, parent)
		i = parent
	}
}

func (h *heap[T]) down(i int) (moved bool) {
	for {
		c := 2*i + 1
		if c >= len(*h) {
			return moved
		}
		if c+1 < len(*h) && (*h)[c+1].before((*h)[c]) {
			c++
		}
		if !(*h)[c].before((*h)[i]) {
			return moved
		}
		h.swap(i, c)
		i, moved = c, true
	}
}
