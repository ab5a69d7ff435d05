package sched

import (
	"math/rand/v2"
	"testing"
)

func TestHeap(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var (
		h   heap[*thread]
		all []*thread
	)
	for range 20000 {
		switch r.IntN(3) {
		case 0, 1:
			e := &thread{at: -1}
			e.vt.Store(int64(r.IntN(1000)))
			h.push(e)
			all = append(all, e)
		case 2:
			if len(all) == 0 {
				continue
			}
			i := r.IntN(len(all))
			e := all[i]
			all[i] = all[len(all)-1]
			all = all[:len(all)-1]
			h.remove(e.at)
			if e.at != -1 {
				t.Fatal("place after remove")
			}
		}
		for i, e := range h {
			if e.at != i {
				t.Fatal("place")
			}
			if i > 0 && e.before(h[(i-1)/2]) {
				t.Fatal("order")
			}
			if i > 200 {
				break
			}
		}
	}
}
