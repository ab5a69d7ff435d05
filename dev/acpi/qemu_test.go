//go:build !tamago

package acpi

import (
	"flag"
	"slices"
	"testing"
	"time"

	"mult/dev/internal/qtest"
)

var update = flag.Bool("update", false, "write the tables of QEMU's machines to testdata")

// TestQEMU reads the tables out of running machines, then uses them.
func TestQEMU(t *testing.T) {
	for _, tt := range []struct {
		name, machine, cpus string
	}{
		{"microvm-1", "microvm", "1"},
		{"microvm-2", "microvm", "2"},
		{"q35-1", "q35", "1"},
		{"q35-2", "q35", "2"},
		{"pc-1", "pc", "1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := qtest.Start(t, "-M", tt.machine, "-smp", tt.cpus)
			rsdp := le.Uint64(m.Bytes(m.StartInfo()+32, 8))
			rec := recorder{m, make(image)}
			tables, err := Parse(rec, rsdp)
			if err != nil || len(tables.Skipped) > 0 {
				t.Fatal(err, tables.Skipped)
			}
			if *update {
				rec.image.save(t, tt.name, rsdp)
			}
			bios := image{0x400: m.Bytes(0x400, 0x100), 0x9f000: m.Bytes(0x9f000, 0x1000),
				0xe0000: m.Bytes(0xe0000, 0x20000)}
			if pa, ok := FindRSDP(bios); !ok || pa != rsdp {
				t.Errorf("FindRSDP = %#x, %t, want %#x", pa, ok, rsdp)
			}
			testButton(t, m, tables)
			if g := tables.FADT.PMTimer; g.ok() {
				if a, b := g.Read32(m), g.Read32(m); a == b || a>>24 != 0 || tables.FADT.PMTimer32() {
					t.Errorf("PM timer reads %#x, %#x", a, b)
				}
			}

			m.QMP("query-status") // takes earlier events away
			if tables.FADT.Reset.ok() || tables.FADT.Has8042() {
				reset(t, m, tables)
			}
			m.Gone()
			_ = tables.PowerOff(impatient{m})
			if err := m.Wait(); err != nil {
				t.Error(err)
			}
		})
	}
}

// testButton presses the power button.
func testButton(t *testing.T, m *qtest.Machine, tables *Tables) {
	irq, err := tables.EnablePowerButton(m)
	if err != nil {
		t.Fatal(err)
	}
	m.Intercept("ioapic")
	if tables.PowerButtonPressed(m) {
		t.Error("pressed before it was")
	}
	m.QMP("system_powerdown")
	want := qtest.IRQ{Line: int(irq.GSI), High: true}
	for late := time.After(10 * time.Second); ; {
		select {
		case got := <-m.IRQs:
			if got != want {
				continue // timers tick
			}
		case <-late:
			t.Error("no interrupt")
		}
		break
	}
	if !tables.PowerButtonPressed(m) {
		t.Error("not pressed after it was")
	}
	if tables.PowerButtonPressed(m) {
		t.Error("acknowledging it has no effect")
	}
}

// reset resets the machine. It says so in an event, and the guest starts
// again.
func reset(t *testing.T, m *qtest.Machine, tables *Tables) {
	m.ForgetGuest()
	// Reset returns only after patience, so it is cut short.
	_ = tables.Reset(impatient{m})
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if slices.Contains(m.QMP("query-status"), "RESET") {
			break
		}
		if time.Now().After(end) {
			t.Fatal("no reset")
		}
	}
	m.WaitGuest()
}

// impatient answers reads of the delay port itself.
type impatient struct{ *qtest.Machine }

func (m impatient) In8(port uint16) uint8 {
	if port == 0x80 {
		return 0xff
	}
	return m.Machine.In8(port)
}
