package kern

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mult/arch"
	"mult/arch/hosted"
	"mult/inst"
	"mult/kern/klog"
	"mult/kern/linux/vdso"
	"mult/kern/proc"
)

// This file has a kernel on the host whose programs make any system calls: what
// they do is read from a string of bytes, a choice each. userland/fuzz has a
// fuzzer like it for a guest; this one is quicker, finds races, and sees that
// all that was charged comes back.

// choices are the bytes from which programs choose.
type choices struct {
	mu   sync.Mutex
	data []byte // [mu]
	made int    // [mu]

	calls  atomic.Int64
	budget int64 // [const] if not 0, choices are random until so many calls were made
}

// below returns a number less than n, 0 after the end of the data.
func (c *choices) below(n uint64) uint64 {
	if c.budget != 0 {
		return rand.Uint64N(n)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.made++
	var b [8]byte
	size := 1
	if n > 256 {
		size = 8
	}
	used := copy(b[:size], c.data)
	c.data = c.data[used:]
	return binary.LittleEndian.Uint64(b[:]) % n
}

func (c *choices) oneIn(n uint64) bool { return c.below(n) == n-1 }

func (c *choices) over() bool {
	if c.budget != 0 {
		return c.calls.Load() >= c.budget
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.data) == 0
}

// progress changes as long as programs run.
func (c *choices) progress() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.made
}

// rootImage makes the image that the kernel starts from.
func rootImage(t testing.TB) []byte {
	t.Helper()
	const entry = 120
	dynamic := program(entry)
	copy(dynamic[64:], []byte{3})                             // what was to be loaded is the name of an interpreter
	binary.LittleEndian.PutUint64(dynamic[64+8:], entry)      // its offset
	binary.LittleEndian.PutUint64(dynamic[64+32:], 6)         // its length
	dynamic = append(dynamic[:entry], []byte("/init\x00")...) // for which there is room
	return makeImage(t, map[string][]byte{
		"init": program(entry), "sbin/instinit": program(entry), "dynamic": dynamic, "script": []byte("#! /init with arguments\n"),
		"dir/file": bytes.Repeat([]byte("text "), 2000), "dir/link": []byte("->file"),
	})
}

// play starts a kernel whose programs choose from data, ends it, and looks at
// what is left.
func play(t *testing.T, image, data []byte) {
	t.Helper()
	c := &choices{data: data}
	m := hosted.New(2 << 20 << c.below(6))
	defer m.Close()
	heap := int64(200_000) << c.below(6)
	var players sync.Map // of the threads, by their registers
	var count atomic.Int64
	m.User = func(x *arch.Context) {
		p, found := players.Load(x)
		if !found {
			p = &player{machine: m, c: c, cpu: m.NewCPU(), init: count.Add(1) == 1}
			players.Store(x, p)
		}
		p.(*player).run(x)
	}
	var log text
	var wall atomic.Int64
	start := time.Now()
	clock := func() int64 { return int64(time.Since(start)) }
	ended := make(chan proc.Status, 1)
	ram, pa := place(t, m, image)
	free := m.Memory().Stats().Free
	k, err := Start(Config{
		Machine: m, Memory: m.Memory(), Log: klog.New(1<<20, clock, &log, klog.Info),
		Clock: clock, Wall: func() int64 { return 1e18 + wall.Load() + clock() },
		SetWall:   func(ns int64) { wall.Store(ns - clock() - 1e18) },
		VDSO:      func() vdso.Params { return vdso.Params{} },
		HeapLimit: heap, Root: ram, RootPA: pa,
		Init:  []string{"/init"},
		Ended: func(s proc.Status) { ended <- s },
		Off:   func(bool) {},
	})
	if err != nil {
		t.Fatal(err)
	}
	// Until all have ended, or none goes on.
	for last := -1; ; {
		select {
		case <-ended:
		case <-time.After(100 * time.Millisecond):
			if now := c.progress(); now != last {
				last = now
				continue
			}
			proc.TableOf(k.inst0).Kill(proc.SIGKILL)
			select {
			case <-ended:
			case <-time.After(time.Minute):
				stacks := make([]byte, 1<<20)
				t.Fatalf("process 1 doesn't end; the log:\n%s\n%s", log.String(), stacks[:runtime.Stack(stacks, true)])
			}
		}
		break
	}
	k.inst0.Free()
	for _, r := range []inst.Resource{inst.Heap, inst.Frames} {
		if n := k.inst0.Used(r); n != 0 {
			t.Errorf("%d of resource %d are still charged", n, r)
		}
	}
	t.Logf("%d calls by %d threads in %v", c.calls.Load(), count.Load(), time.Since(start))
	// What stays is the machine's: the code of the vDSO, the page of zeros,
	// and that of /init, which isn't a whole page of the image; also that of
	// /sbin/instinit, if an instance has run it.
	if n := m.Memory().Stats().Free; n+3 != free && n+4 != free {
		t.Errorf("%d frames were free, %d are now", free, n)
	}
	if s := log.String(); strings.Contains(s, "kernel fault") {
		t.Errorf("the log:\n%s", s)
	}
}

// TestAnyCalls plays some random programs.
func TestAnyCalls(t *testing.T) {
	image := rootImage(t)
	for seed := range uint64(20) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { play(t, image, random(seed, 100000)) })
	}
}

func random(seed uint64, n int) []byte {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	b := make([]byte, n)
	rand.NewChaCha8(key).Read(b)
	return b
}

// FuzzCalls plays the programs that the fuzzer thinks of.
func FuzzCalls(f *testing.F) {
	image := rootImage(f)
	for seed := range uint64(4) {
		f.Add(random(seed, 500))
	}
	f.Fuzz(func(t *testing.T, data []byte) { play(t, image, slices.Clone(data)) })
}
