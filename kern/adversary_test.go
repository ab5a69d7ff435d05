package kern

import (
	"runtime"
	"strings"
	"testing"
	"time"
	"weak"

	"mult/arch"
	"mult/inst"
	"mult/kern/abi"
	"mult/kern/linux"
	"mult/kern/linux/calls"
)

// This file has root of one instance make any calls with what another instance has as
// arguments. The other one, whose threads all sleep, must stay as it is.

// identities are what an instance calls its own.
type identities struct {
	numbers   []uint64 // of processes, groups, sessions
	users     []uint64
	addresses []uint64 // where files of the image are mapped, and words of its threads
	files     []string
	instances []string // its names
	ids       []uint64
	small     []uint64 // descriptors, inodes, devices, terminals, signals
}

func draw[T any](c *choices, list []T) T { return list[c.below(uint64(len(list)))] }

func (o *identities) path(c *choices) string { return draw(c, o.files) }

// argument returns what fits an argument of a call.
func (o *identities) argument(c *choices, a calls.Arg) (uint64, bool) {
	switch a.Kind {
	case calls.PID:
		n := draw(c, o.numbers)
		if c.oneIn(4) {
			n = -n // a group
		}
		return n, true
	case calls.Addr:
		return draw(c, o.addresses), true
	case calls.FD, calls.DirFD:
		return draw(c, o.small), true
	case calls.Int, calls.Uint, calls.Long, calls.Ulong:
		if strings.HasSuffix(a.Name, "uid") || strings.HasSuffix(a.Name, "gid") || a.Name == "who" {
			return draw(c, o.users), true
		}
		if c.oneIn(2) {
			return draw(c, o.numbers), true
		}
		return draw(c, o.small), true
	}
	return 0, false
}

// any chooses a call of the whole table, there or not, or instctl.
func (p *player) any() {
	c, o := p.c, p.others
	n := c.below(calls.NumCalls)
	switch {
	case c.oneIn(16):
		name := draw(c, o.instances)
		a := abi.Instctl{
			Version: abi.InstctlVersion, Op: uint32(c.below(15)), ID: draw(c, o.ids), Name: p.put([]byte(name)), NameLen: uint64(len(name)),
			Data: p.scratch(0), DataLen: c.below(4000), Text: p.scratch(1), TextLen: 200,
		}
		if c.oneIn(2) {
			a.Flags = abi.INST_BYID
		}
		b := make([]byte, abi.InstctlSize)
		a.Encode(b)
		p.call = [7]uint64{callInstctl, p.put(b), abi.InstctlSize}
		return
	case c.oneIn(32): // what it maps where the other one has it
		p.call = [7]uint64{nrMmap, draw(c, o.addresses), 4096, 1 + c.below(3), 0x11, c.below(16)}
		return
	case c.oneIn(32):
		p.call = [7]uint64{nrFutex, draw(c, o.addresses), c.below(13) | c.below(2)<<7, c.below(3), c.below(3), draw(c, o.addresses)}
		return
	case n == nrReboot && !c.oneIn(64), n == nrExit, n == nrExitGroup, n == nrPause, n == nrSigsuspend:
		n = nrKill
	case n == nrReboot: // which ends its own instance
		p.call = [7]uint64{n, 0xfee1dead, 672274793, 0x01234567}
		return
	}
	row, _ := calls.Lookup(n)
	p.call = [7]uint64{n}
	for i, a := range row.Args {
		p.call[i+1] = p.argument(a)
	}
}

// run is hosted.Machine.User.
func (b *battle) run(x *arch.Context) {
	key := weak.Make(x)
	if v, found := b.players.Load(key); found {
		v.(*player).run(x)
		return
	}
	_, known := b.early.Load(x)
	if !known && !b.attacks.Load() {
		b.early.Store(x, nil)
		known = true
	}
	if known {
		b.clients(x)
		return
	}
	p := &player{machine: b.m, c: b.c, cpu: b.m.NewCPU(), init: b.threads.Add(1) == 1, others: b.others}
	b.players.Store(key, p)
	runtime.AddCleanup(x, func(key weak.Pointer[arch.Context]) { b.players.Delete(key) }, key)
	p.run(x)
}

// hostile lets root of another instance, and those below that, make all the calls.
func (b *battle) hostile() {
	b.attacks.Store(true)
	defer b.attacks.Store(false)
	for n := 0; b.c.calls.Load() < b.c.budget; n++ {
		b.threads.Store(0)
		in, err := b.k.ForkInst1(nil, b.k.inst0, "hostile", linux.Settings{Limits: map[inst.Resource]int64{
			inst.Instances: 3, inst.Frames: 3000, inst.Heap: 16 << 20, inst.Processes: 100,
		}}, nil)
		if err != nil {
			b.t.Fatal(err)
		}
		for last := int64(-1); in.State() != inst.Dead && in.State() != inst.Stopping; {
			time.Sleep(100 * time.Millisecond)
			now := b.c.calls.Load()
			if now == last || now >= b.c.budget {
				b.k.Kill(in)
			}
			last = now
		}
		b.gone(in)
	}
}

// fight has that many calls made, and compares the victim before and after, and what there
// is of free memory.
func fight(t *testing.T, budget int64) {
	b := newBattle(t, budget)
	b.digest() // which brings memory and nodes in
	var used [inst.NumResources]int64
	for r := range used {
		used[r] = b.k.inst0.Used(inst.Resource(r))
	}
	before, free := b.digest(), b.m.Memory().Stats().Free
	if again := b.digest(); len(before.differences(again)) != 0 {
		t.Fatalf("it changes by itself:\n%s", strings.Join(before.differences(again), "\n"))
	}
	start := time.Now()
	b.hostile()
	t.Logf("%d calls in %v", b.c.calls.Load(), time.Since(start))
	if list := before.differences(b.digest()); len(list) != 0 {
		t.Errorf("the victim is another:\n%s", strings.Join(list, "\n"))
	}
	if n := b.m.Memory().Stats().Free; n != free {
		t.Errorf("%d frames were free, %d are now", free, n)
	}
	for r := range used {
		if n := b.k.inst0.Used(inst.Resource(r)); n != used[r] {
			t.Errorf("%d %s were used, %d are now", used[r], inst.Resource(r), n)
		}
	}
	if s := b.log.String(); strings.Contains(s, "kernel fault") {
		t.Errorf("the log:\n%s", s)
	}
	b.over()
}

// TestAdversary fights once.
func TestAdversary(t *testing.T) { fight(t, adversaryCalls) }
