package hosted

import (
	"testing"

	"mult/arch"
	"mult/kern/mem"
)

var _ arch.Machine = (*Machine)(nil)

// tree maps va to a new frame and returns the root and the entry.
func tree(t *testing.T, m *Machine, va uint64) (root uint64, entry *uint64, pa mem.PA) {
	alloc := func() mem.PA {
		pa, ok := m.Memory().AllocZero()
		if !ok {
			t.Fatal("no frame")
		}
		return pa
	}
	top := alloc()
	m.InitRoot(uint64(top))
	table := top
	for shift := 39; shift > 12; shift -= 9 {
		next := alloc()
		m.Memory().Table(table)[va>>shift&511] = uint64(next) | arch.PagePresent | arch.PageWrite | arch.PageUser
		table = next
	}
	pa = alloc()
	entry = &m.Memory().Table(table)[va>>12&511]
	*entry = uint64(pa) | arch.PagePresent | arch.PageUser | arch.PageNoExec
	return uint64(top), entry, pa
}

func TestProcessor(t *testing.T) {
	m := New(1 << 20)
	defer m.Close()
	const va = 0x7f0000123456
	root, entry, pa := tree(t, m, va)
	c := m.NewCPU()
	m.Memory().Page(pa)[va%arch.PageSize] = 7
	if b, code, ok := c.Load(root, va); b != 7 || !ok {
		t.Errorf("Load: %d, fault %#x", b, code)
	}
	if code, ok := c.Store(root, va, 1); ok || code != arch.FaultUser|arch.FaultWrite|arch.FaultPresent {
		t.Errorf("Store to read-only: %#x, %v", code, ok)
	}
	if code, ok := c.Fetch(root, va); ok || code != arch.FaultUser|arch.FaultExec|arch.FaultPresent {
		t.Errorf("Fetch of data: %#x, %v", code, ok)
	}
	*entry |= arch.PageWrite
	if code, ok := c.Store(root, va, 9); !ok || m.Memory().Page(pa)[va%arch.PageSize] != 9 {
		t.Errorf("Store: fault %#x", code)
	}
	*entry = 0
	if _, _, ok := c.Load(root, va); !ok {
		t.Error("a translation is forgotten without a flush")
	}
	m.FlushPage(root, va+arch.PageSize)
	if _, _, ok := c.Load(root, va); !ok {
		t.Error("a translation is forgotten by the flush of another page")
	}
	m.FlushPage(root, va)
	if _, code, ok := c.Load(root, va); ok || code != arch.FaultUser {
		t.Errorf("after the flush: %#x, %v", code, ok)
	}
}

func TestRunKick(t *testing.T) {
	m := New(1 << 20)
	defer m.Close()
	c := new(arch.Context)
	m.Kick(c) // nothing runs: no effect
	running := make(chan bool)
	m.User = func(c *arch.Context) {
		kicked := m.Kicked(c)
		running <- true
		<-kicked
		c.Trap = arch.TrapInterrupt
	}
	go func() {
		<-running
		m.Kick(c)
		m.Kick(c)
	}()
	m.Run(c)
	if c.Trap != arch.TrapInterrupt {
		t.Errorf("Run returned with %d", c.Trap)
	}
}
