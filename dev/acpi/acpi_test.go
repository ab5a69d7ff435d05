package acpi

import (
	"os"
	"reflect"
	"strings"
	"testing"
)

var (
	port16 = func(p uint64) GAS { return GAS{SystemIO, p} }
	cpu    = func(id uint32) CPU { return CPU{APICID: id, UID: id, Enabled: true} }
	ioapic = IOAPIC{ID: 0, Addr: 0xfec00000}
	// level is how QEMU's PCs route PCI interrupts, which includes the SCI.
	pcRoutes = []Override{
		{0, IRQ{GSI: 2}},
		{5, IRQ{GSI: 5, Level: true}},
		{9, IRQ{GSI: 9, Level: true}},
		{10, IRQ{GSI: 10, Level: true}},
		{11, IRQ{GSI: 11, Level: true}},
	}
	pcFADT = FADT{
		Revision: 1, SCI: 9, SMICmd: 0xb2, ACPIEnable: 0xf1,
		PM1aEvt: port16(0x600), PM1EvtLen: 4, PM1aCnt: port16(0x604), PMTimer: port16(0x608),
		Century: 0x32, Flags: 0x80a5,
	}
	q35FADT = FADT{
		Revision: 3, SCI: 9, SMICmd: 0xb2, ACPIEnable: 2,
		PM1aEvt: port16(0x600), PM1EvtLen: 4, PM1aCnt: port16(0x604), PMTimer: port16(0x608),
		Century: 0x32, BootArch: boot8042, Flags: 0x84a5, Reset: port16(0xcf9), ResetValue: 0xf,
	}
	microvmFADT = FADT{
		Revision: 5, Flags: flagHWReduced | flagReset, Reset: GAS{SystemMemory, 0xfea00202}, ResetValue: 0x42,
		SleepControl: GAS{SystemMemory, 0xfea00200}, SleepStatus: GAS{SystemMemory, 0xfea00201},
	}
	microvm = Tables{
		IOAPICs: []IOAPIC{ioapic, {ID: 1, Addr: 0xfec10000, GSIBase: 24}},
		LAPIC:   0xfee00000, PIC: true, FADT: microvmFADT, S5: S5{TypA: 5, Valid: true},
		Event: &Event{Select: 0xfea00000, Mask: 2, IRQ: IRQ{GSI: 9}},
	}
	q35 = Tables{
		IOAPICs: []IOAPIC{ioapic}, Overrides: pcRoutes,
		LAPIC: 0xfee00000, PIC: true, FADT: q35FADT, HPET: 0xfed00000, S5: S5{Valid: true},
	}
)

// with returns t with the given processors.
func (t Tables) with(cpus ...CPU) Tables {
	t.CPUs = cpus
	return t
}

func TestParseQEMU(t *testing.T) {
	pc := q35.with(cpu(0))
	pc.FADT = pcFADT
	for _, tt := range []struct {
		name string
		want Tables
		find string // other tables
	}{
		{"microvm-1", microvm.with(cpu(0)), "APIC FACP DSDT"},
		{"microvm-2", microvm.with(cpu(0), cpu(1)), "APIC FACP DSDT"},
		{"q35-1", q35.with(cpu(0)), "APIC FACP DSDT HPET MCFG WAET"},
		{"q35-2", q35.with(cpu(0), cpu(1)), "APIC FACP DSDT HPET MCFG WAET"},
		{"pc-1", pc, "APIC FACP DSDT HPET WAET"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, rsdp := load(t, tt.name)
			got, err := Parse(m, rsdp)
			if err != nil {
				t.Fatal(err)
			}
			for _, sig := range strings.Fields(tt.find) {
				if b := got.Find(sig); len(b) < header || string(b[:4]) != sig {
					t.Errorf("Find(%s) = %q", sig, b)
				}
			}
			if n := len(strings.Fields(tt.find)); n != len(got.tables) {
				t.Errorf("%d tables, want %d", len(got.tables), n)
			}
			if got.Find("NONE") != nil {
				t.Error("found a table that isn't there")
			}
			tt.want.tables = got.tables
			if !reflect.DeepEqual(*got, tt.want) {
				t.Errorf("got  %+v (event %+v)\nwant %+v", *got, got.Event, tt.want)
			}
		})
	}
}

func TestFADTMethods(t *testing.T) {
	v5 := FADT{Revision: 5, BootArch: bootNoRTC | bootLegacy, Flags: flagTimer32}
	for _, tt := range []struct {
		name                              string
		f                                 *FADT
		reduced, k8042, legacy, rtc, wide bool
	}{
		{"pc", &pcFADT, false, true, true, true, false},
		{"q35", &q35FADT, false, true, false, true, false},
		{"microvm", &microvmFADT, true, false, false, true, false},
		{"no clock", &v5, false, false, true, false, true},
	} {
		got := [5]bool{tt.f.HWReduced(), tt.f.Has8042(), tt.f.HasLegacy(), tt.f.HasRTC(), tt.f.PMTimer32()}
		if want := [5]bool{tt.reduced, tt.k8042, tt.legacy, tt.rtc, tt.wide}; got != want {
			t.Errorf("%s: %v, want %v", tt.name, got, want)
		}
	}
}

func TestIRQ(t *testing.T) {
	for _, tt := range []struct {
		name string
		t    Tables
		irq  uint8
		want IRQ
	}{
		{"timer of a PC", q35, 0, IRQ{GSI: 2}},
		{"serial port of a PC", q35, 4, IRQ{GSI: 4}},
		{"serial port of microvm", microvm, 4, IRQ{GSI: 4}},
		{"SCI of a PC", q35, 9, IRQ{GSI: 9, Level: true}},
	} {
		if got := tt.t.ISA(tt.irq); got != tt.want {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
		}
	}
	if got, want := q35.SCI(), (IRQ{GSI: 9, Level: true}); got != want {
		t.Errorf("SCI with override: %+v, want %+v", got, want)
	}
	bare := Tables{FADT: FADT{SCI: 20}}
	if got, want := bare.SCI(), (IRQ{GSI: 20, ActiveLow: true, Level: true}); got != want {
		t.Errorf("SCI without override: %+v, want %+v", got, want)
	}
}

// madt returns a MADT with the local APICs at 0xfee00000.
func madt(entries ...byte) []byte {
	return newTable("APIC", 1, append([]byte{0, 0, 0xe0, 0xfe, 0, 0, 0, 0}, entries...)...)
}

func TestMADT(t *testing.T) {
	for _, tt := range []struct {
		name    string
		entries []byte
		want    Tables
		err     bool
	}{
		{name: "empty", want: Tables{LAPIC: 0xfee00000}},
		{
			name: "processors",
			entries: []byte{
				0, 8, 7, 3, 1, 0, 0, 0, // enabled
				0, 8, 8, 4, 2, 0, 0, 0, // may be plugged in
				0, 8, 9, 5, 0, 0, 0, 0, // disabled
				0, 8, 9, 255, 0, 0, 0, 0, // left empty
				9, 16, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0, 7, 0, 0, 0, // the first again
				9, 16, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 10, 1, 0, 0,
				9, 16, 0, 0, 255, 255, 255, 255, 1, 0, 0, 0, 10, 1, 0, 0, // left empty
			},
			want: Tables{LAPIC: 0xfee00000, CPUs: []CPU{
				{APICID: 3, UID: 7, Enabled: true},
				{APICID: 4, UID: 8, OnlineCapable: true},
				{APICID: 5, UID: 9},
				{APICID: 0x100, UID: 0x10a, Enabled: true},
			}},
		},
		{
			name: "routes",
			entries: []byte{
				1, 12, 2, 0, 0, 0, 0xc0, 0xfe, 24, 0, 0, 0,
				2, 10, 0, 0, 2, 0, 0, 0, 0, 0, // as usual
				2, 10, 0, 9, 20, 0, 0, 0, 15, 0, // active low, level
				2, 10, 0, 5, 5, 0, 0, 0, 5, 0, // active high, edge
				4, 6, 255, 0, 0, 1, // NMI
				200, 2, // of the future
			},
			want: Tables{
				LAPIC:   0xfee00000,
				IOAPICs: []IOAPIC{{ID: 2, Addr: 0xfec00000, GSIBase: 24}},
				Overrides: []Override{
					{0, IRQ{GSI: 2}}, {9, IRQ{GSI: 20, ActiveLow: true, Level: true}}, {5, IRQ{GSI: 5}},
				},
			},
		},
		{
			name:    "address",
			entries: []byte{5, 12, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0},
			want:    Tables{LAPIC: 1 << 32},
		},
		{name: "no length", entries: []byte{200}, err: true},
		{name: "length 0", entries: []byte{200, 0}, err: true},
		{name: "length 1", entries: []byte{200, 1}, err: true},
		{name: "beyond the end", entries: []byte{200, 3}, err: true},
		{name: "too short for its type", entries: []byte{0, 7, 7, 3, 1, 0, 0}, err: true},
		{name: "many I/O APICs", entries: []byte(strings.Repeat("\x01\x0c0123456789", 257)), err: true},
		{name: "many overrides", entries: []byte(strings.Repeat("\x02\x0a01234567", 257)), err: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Parse(machine(2, madt(tt.entries...)), atRSDP)
			if (err != nil) != tt.err {
				t.Fatalf("error %v", err)
			}
			if err != nil {
				return
			}
			got.tables = nil
			if !reflect.DeepEqual(*got, tt.want) {
				t.Errorf("got  %+v\nwant %+v", *got, tt.want)
			}
		})
	}
	var many []byte
	for i := range maxCPUs + 10 {
		many = append(many, 9, 16, 0, 0, byte(i), byte(i>>8), 0, 0, 1, 0, 0, 0, 0, 0, 0, 0)
	}
	if got, err := Parse(machine(2, madt(many...)), atRSDP); err != nil || len(got.CPUs) != maxCPUs {
		t.Errorf("%d CPUs, %v, want %d", len(got.CPUs), err, maxCPUs)
	}
}

func TestFADT(t *testing.T) {
	full := func(b []byte) {
		le.PutUint16(b[46:], 9)
		le.PutUint32(b[56:], 0x400)
		le.PutUint32(b[64:], 0x404)
		le.PutUint32(b[68:], 0x1404)
		le.PutUint32(b[76:], 0x408)
		b[88], b[89], b[91] = 4, 2, 4
	}
	for _, tt := range []struct {
		name     string
		revision uint8
		set      func([]byte)
		want     FADT
	}{
		{"ports", 4, full, FADT{
			SCI: 9, PM1aEvt: port16(0x400), PM1EvtLen: 4,
			PM1aCnt: port16(0x404), PM1bCnt: port16(0x1404), PMTimer: port16(0x408),
		}},
		{"no length, no register", 4, func(b []byte) {
			full(b)
			b[88], b[89], b[91] = 0, 0, 0
		}, FADT{SCI: 9}},
		{"extended addresses", 4, func(b []byte) {
			full(b)
			b[208], b[209] = 0, 32 // memory
			le.PutUint64(b[212:], 0x1_fed8_0808)
			b[148] = 1
			le.PutUint64(b[152:], 0x10000) // not a port
		}, FADT{
			SCI: 9, PM1aEvt: port16(0x400), PM1EvtLen: 4,
			PM1aCnt: port16(0x404), PM1bCnt: port16(0x1404), PMTimer: GAS{SystemMemory, 0x1_fed8_0808},
		}},
		{"revision 1 has no more", 1, func(b []byte) {
			full(b)
			for i := 109; i < 112; i++ {
				b[i] = 0xff
			}
			for i := fadtV1; i < len(b); i++ {
				b[i] = 0xff
			}
		}, FADT{
			SCI: 9, PM1aEvt: port16(0x400), PM1EvtLen: 4,
			PM1aCnt: port16(0x404), PM1bCnt: port16(0x1404), PMTimer: port16(0x408),
		}},
		{"reset register without flag", 4, func(b []byte) {
			b[116] = 1
			b[120] = 0x92
		}, FADT{}},
		{"reset register in PCI space", 4, func(b []byte) {
			le.PutUint32(b[112:], flagReset)
			b[116] = 2
			le.PutUint64(b[120:], 0x001f_0003_0044)
			b[128] = 6
		}, FADT{Flags: flagReset, Reset: GAS{PCIConfig, 0x001f_0003_0044}, ResetValue: 6}},
		{"reduced hardware needs revision 5", 4, func(b []byte) {
			le.PutUint32(b[112:], flagHWReduced)
			b[248] = 1
		}, FADT{Flags: flagHWReduced}},
		{"reduced hardware", 6, func(b []byte) {
			le.PutUint32(b[112:], flagHWReduced)
			b[244], b[249] = 1, 6
			b[256], b[260], b[261] = 1, 1, 6
		}, FADT{Flags: flagHWReduced, SleepControl: port16(0x600), SleepStatus: port16(0x601)}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Parse(machine(2, fadt(tt.revision, tt.set)), atRSDP)
			if err != nil {
				t.Fatal(err)
			}
			tt.want.Revision = tt.revision
			if got.FADT != tt.want {
				t.Errorf("got  %+v\nwant %+v", got.FADT, tt.want)
			}
		})
	}
	for n := range fadtV5 { // never out of bounds
		var f FADT
		if _, err := f.parse(fadt(6, func([]byte) {})[:n]); (err != nil) != (n < fadtV1) {
			t.Errorf("table of %d bytes: %v", n, err)
		}
	}
}

// TestDamage damages what Parse reads.
func TestDamage(t *testing.T) {
	hpet := newTable("HPET", 1, make([]byte, 20)...)
	ssdt := newTable("SSDT", 1, s5Name...)
	for _, tt := range []struct {
		name    string
		damage  func(m image)
		err     bool
		skipped int
	}{
		{"nothing", func(image) {}, false, 0},
		{"no RSDP", func(m image) { delete(m, atRSDP) }, true, 0},
		{"signature", func(m image) { m[atRSDP][0] = 'r' }, true, 0},
		{"sum", func(m image) { m[atRSDP][8]++ }, true, 0},
		{"extended sum", func(m image) { m[atRSDP][32]++ }, true, 0},
		{"RSDP cut off", func(m image) { m[atRSDP] = m[atRSDP][:rsdpV1] }, true, 0},
		{"no root", func(m image) { delete(m, atRoot) }, true, 0},
		{"root sum", func(m image) { m[atRoot][9]++ }, true, 0},
		{"root signature", func(m image) { m[atRoot][0] = 'Y'; m[atRoot][9]-- }, true, 0},
		{"root length", func(m image) { le.PutUint32(m[atRoot][4:], 35) }, true, 0},
		{"root huge", func(m image) { le.PutUint32(m[atRoot][4:], 1<<31) }, true, 0},
		{"MADT sum", func(m image) { m[atRest][9]++ }, true, 0},
		{"MADT missing", func(m image) { delete(m, atRest) }, false, 1},
		{"MADT short", func(m image) { m[atRest] = newTable("APIC", 1) }, true, 0},
		{"FADT sum", func(m image) { m[atRest+0x10000][9]++ }, true, 0},
		{"FADT short", func(m image) { m[atRest+0x10000] = newTable("FACP", 1) }, true, 0},
		{"DSDT sum", func(m image) { m[atDSDT][9]++ }, false, 1},
		{"DSDT missing", func(m image) { delete(m, atDSDT) }, false, 1},
		{"HPET sum", func(m image) { m[atRest+0x20000][9]++ }, false, 1},
		{"HPET short", func(m image) { m[atRest+0x20000] = newTable("HPET", 1) }, false, 0},
		{"SSDT length", func(m image) { le.PutUint32(m[atRest+0x30000][4:], 1<<20) }, false, 1},
		{"all but the root", func(m image) {
			for i := range 4 {
				delete(m, uint64(atRest+i<<16))
			}
		}, false, 4},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := fadt(4, func(b []byte) { le.PutUint64(b[140:], atDSDT) })
			m := machine(2, madt(), f, append([]byte(nil), hpet...), append([]byte(nil), ssdt...))
			m[atDSDT] = newTable("DSDT", 2)
			tt.damage(m)
			got, err := Parse(m, atRSDP)
			if (err != nil) != tt.err {
				t.Fatalf("error %v", err)
			}
			if err == nil && len(got.Skipped) != tt.skipped {
				t.Errorf("skipped %v, want %d", got.Skipped, tt.skipped)
			}
		})
	}
}

const atDSDT = 0x300000

func TestRoot(t *testing.T) {
	for _, revision := range []uint8{0, 2} {
		got, err := Parse(machine(revision, madt(), newTable("HPET", 1, 0, 0, 0, 0, 0, 64, 0, 0, 0, 0, 0xd0, 0xfe, 0, 0, 0, 0)), atRSDP)
		if err != nil || got.LAPIC != 0xfee00000 || got.HPET != 0xfed00000 {
			t.Errorf("revision %d: %+v, %v", revision, got, err)
		}
	}
	// Without an XSDT the RSDT serves, whatever the revision.
	m, two := machine(0, madt()), machine(2, madt())
	r := two[atRSDP]
	le.PutUint64(r[24:], 0)
	le.PutUint32(r[16:], atRoot)
	r[8], r[32] = 0, 0
	r[8] = -sum(r[:rsdpV1])
	r[32] = -sum(r)
	m[atRSDP] = r
	if _, err := Parse(m, atRSDP); err != nil {
		t.Error(err)
	}
	// The same table many times, and too many tables.
	list := make([]byte, 8*(maxTables+50))
	for i := range maxTables + 50 {
		le.PutUint64(list[8*i:], atRest+uint64(max(i-25, 0)))
	}
	two = machine(2, madt())
	two[atRoot] = newTable("XSDT", 1, list...)
	if e, err := root(two, atRSDP); err != nil || len(e) != maxTables || e[1] != atRest+1 {
		t.Errorf("%d entries, %v", len(e), err)
	}
}

func TestFindRSDP(t *testing.T) {
	good := machine(2)[atRSDP]
	bad := append([]byte(nil), good...)
	bad[8]++
	for _, tt := range []struct {
		name string
		mem  map[uint64][]byte
		want uint64
	}{
		{"nothing", nil, 0},
		{"in ROM", map[uint64][]byte{0xe0010: good}, 0xe0010},
		{"at the end", map[uint64][]byte{0x100000 - 0x30: good}, 0x100000 - 0x30},
		{"across the end", map[uint64][]byte{0x100000 - 0x10: good}, 0},
		{"not aligned", map[uint64][]byte{0xe0018: good}, 0},
		{"damaged", map[uint64][]byte{0xe0010: bad, 0xe0040: good}, 0xe0040},
		{"EBDA first", map[uint64][]byte{0x40e: {0xc0, 0x9f}, 0x9fc00: good, 0xe0010: good}, 0x9fc00},
		{"EBDA has 1 KiB", map[uint64][]byte{0x40e: {0xc0, 0x9f}, 0xa0000: good}, 0},
		{"no EBDA", map[uint64][]byte{0x40e: {0, 0}, 0x20: good}, 0},
	} {
		m := image{0: make([]byte, 0x1000), 0x9f000: make([]byte, 0x2000), 0xe0000: make([]byte, 0x20000)}
		for at, b := range tt.mem {
			for base, mem := range m {
				if at >= base && at < base+uint64(len(mem)) {
					copy(mem[at-base:], b)
				}
			}
		}
		if got, ok := FindRSDP(m); got != tt.want || ok != (tt.want != 0) {
			t.Errorf("%s: %#x, %t, want %#x", tt.name, got, ok, tt.want)
		}
	}
	if _, ok := FindRSDP(image{}); ok {
		t.Error("found without memory")
	}
}

// flat is memory that begins at 0 and has the RSDP at 16.
type flat []byte

func (m flat) Bytes(pa uint64, n int) []byte {
	if pa > uint64(len(m)) || uint64(n) > uint64(len(m))-pa {
		return nil
	}
	return m[pa:][:n]
}

// flatten moves an image to address 0 on, as compact as it goes.
func flatten(m image, rsdp uint64) flat {
	f := make(flat, 16)
	at := make(map[uint64]int)
	put := func(pa uint64) {
		at[pa] = len(f)
		f = append(f, m[pa]...)
		f = append(f, make([]byte, -len(f)&15)...)
	}
	put(rsdp)
	for pa := range m {
		if pa != rsdp {
			put(pa)
		}
	}
	return f
}

// FuzzParse gives Parse any memory, with sums made right so that it gets far.
func FuzzParse(f *testing.F) {
	files, err := os.ReadDir("testdata")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		if !file.IsDir() {
			m, rsdp := load(f, file.Name())
			f.Add([]byte(flatten(m, rsdp)))
		}
	}
	f.Add([]byte(flatten(machine(2, madt(), fadt(6, func([]byte) {})), atRSDP)))
	f.Fuzz(func(t *testing.T, b []byte) {
		tables, err := Parse(lenient{flat(b)}, 16)
		if err != nil {
			return
		}
		if len(tables.CPUs) > maxCPUs || len(tables.tables) > maxTables+1 {
			t.Errorf("%d CPUs, %d tables", len(tables.CPUs), len(tables.tables))
		}
		io := &recordIO{quick: true}
		_, _ = tables.EnablePowerButton(io)
		tables.PowerButtonPressed(io)
		tables.ISA(0)
		tables.SCI()
		tables.FADT.PMTimer.Read32(io)
		FindRSDP(flat(b))
	})
}

// lenient puts everything at small addresses and repairs sums.
type lenient struct{ flat }

func (m lenient) Bytes(pa uint64, n int) []byte {
	if len(m.flat) == 0 {
		return nil
	}
	b := append([]byte(nil), m.flat.Bytes(pa%uint64(len(m.flat)), n)...)
	switch {
	case len(b) == rsdpV1:
		b[8] -= sum(b)
	case len(b) == rsdpV2 && string(b[:8]) == "RSD PTR ":
		b[8] -= sum(b[:rsdpV1])
		b[32] -= sum(b)
	case len(b) >= header:
		b[9] -= sum(b)
	}
	return b
}
