package acpi

import (
	"bytes"
	"reflect"
	"testing"
)

var s5Name = []byte("\x08_S5_\x12\x07\x04\x0a\x05\x0a\x06\x00\x00")

func TestFindS5(t *testing.T) {
	long := append([]byte("\x08_S5_\x12\x46\x04\x04\x0a\x05\x0a\x03"), make([]byte, 0x46)...)
	for _, tt := range []struct {
		name, aml string
		want      S5
	}{
		{"nothing", "", S5{}},
		{"bytes", string(s5Name), S5{5, 6, true}},
		{"in code", "\xa0\x08_S5_" + string(s5Name) + "\x10", S5{5, 6, true}},
		{"from the root", "\x08\\_S5_\x12\x06\x04\x00\x00\x00\x00", S5{0, 0, true}},
		{"constants", "\x08_S5_\x12\x06\x04\x01\xff\x00\x00", S5{1, 7, true}},
		{"words", "\x08_S5_\x12\x0a\x02\x0b\x05\x00\x0b\x04\x00", S5{}}, // length beyond the end
		{"words that fit", "\x08_S5_\x12\x08\x02\x0b\x05\x00\x0b\x04\x00", S5{5, 4, true}},
		{"wide", "\x08_S5_\x12\x10\x02\x0c\x05\x00\x00\x00\x0e\x04\x00\x00\x00\x00\x00\x00\x00", S5{5, 4, true}},
		{"two-byte length", string(long), S5{5, 3, true}},
		{"both in one", "\x08_S5_\x12\x05\x01\x0b\x05\x06", S5{5, 6, true}},
		{"no elements", "\x08_S5_\x12\x02\x00", S5{}},
		{"cut off", "\x08_S5_\x12\x07\x04\x0a", S5{}},
		{"cut off after the name", "\x08_S5_", S5{}},
		{"cut off in the length", "\x08_S5_\x12\xc0\x01", S5{}},
		{"length 0", "\x08_S5_\x12\x00\x04\x00\x00", S5{}},
		{"a name inside", "\x08_S5_\x12\x07\x04TYPA\x00", S5{}},
		{"a method", "\x14_S5_\x12\x07\x04\x0a\x05\x00\x00\x00", S5{}},
		{"second try", "\x08_S5_\x11\x08_S5_\x12\x06\x04\x07\x00\x00\x00" + string(s5Name), S5{5, 6, true}},
	} {
		if got := findS5([]byte(tt.aml)); got != tt.want {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

func TestPkgLength(t *testing.T) {
	for _, tt := range []struct {
		b         string
		length, n int
	}{
		{"", 0, 0},
		{"\x3f", 0x3f, 1},
		{"\x45\x12", 0x125, 2},
		{"\x75\x12", 0x125, 2},
		{"\x85\x12\x34", 0x34125, 3},
		{"\xc5\x12\x34\x56", 0x5634125, 4},
		{"\xc5\x12\x34", 0, 0},
	} {
		if length, n := pkgLength([]byte(tt.b)); length != tt.length || n != tt.n {
			t.Errorf("pkgLength(%x) = %#x, %d, want %#x, %d", tt.b, length, n, tt.length, tt.n)
		}
	}
}

func TestName(t *testing.T) {
	for _, tt := range []struct {
		b, seg string
		n      int
	}{
		{"_SB_", "_SB_", 4},
		{"\\_SB_", "_SB_", 5},
		{"^^PWRB", "PWRB", 6},
		{"\\\x2e_SB_PWRB", "PWRB", 10},
		{"\x2f\x03_SB_PCI0COM1", "COM1", 14},
		{"\x2f\x00", "", 0},
		{"\x2f\xffABCD", "", 0},
		{"\\", "", 0},
		{"", "", 0},
		{"ABC", "", 0},
		{"1BCD", "", 0},
		{"abcd", "", 0},
	} {
		if seg, n := name([]byte(tt.b)); seg != tt.seg || n != tt.n {
			t.Errorf("name(%q) = %q, %d, want %q, %d", tt.b, seg, n, tt.seg, tt.n)
		}
	}
}

// TestFindEvent changes the DSDT of microvm.
func TestFindEvent(t *testing.T) {
	m, rsdp := load(t, "microvm-1")
	tables, err := Parse(m, rsdp)
	if err != nil {
		t.Fatal(err)
	}
	want := &Event{Select: 0xfea00000, Mask: 2, IRQ: IRQ{GSI: 9}}
	level := *want
	level.IRQ = IRQ{GSI: 9, ActiveLow: true, Level: true}
	bit3 := *want
	bit3.Mask = 8
	for _, tt := range []struct {
		name, old, new string
		want           *Event
	}{
		{"as it is", "", "", want},
		{"level, active low", "\x89\x06\x00\x03", "\x89\x06\x00\x05", &level},
		{"another bit", "\x60\x0a\x02\x00\x0a\x02\x86", "\x60\x0a\x08\x00\x0a\x08\x86", &bit3},
		{"another button", "\x86PWRB", "\x86SLPB", nil},
		{"not a push", "\x86PWRB\x0a\x80", "\x86PWRB\x0a\x02", nil},
		{"another comparison", "\x0a\x02\x00\x0a\x02", "\x0a\x02\x00\x0a\x03", nil},
		{"no button", "PNP0C0C", "PNP0C0E", nil},
		{"no event device", "ACPI0013", "ACPI0014", nil},
		{"registers in I/O space", "EREG\x00", "EREG\x01", nil},
		{"a small region", "\x0a\x04\x5b\x81", "\x0a\x03\x5b\x81", nil},
		{"no interrupt", "\x89\x06\x00\x03", "\x88\x06\x00\x03", nil},
	} {
		b := append([]byte(nil), tables.Find("DSDT")[header:]...)
		b = bytes.Replace(b, []byte(tt.old), []byte(tt.new), 1)
		if got := findEvent(b); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
		}
		for i := range b { // never out of bounds
			findEvent(b[:i])
			findEvent(b[i:])
		}
	}
}

func FuzzAML(f *testing.F) {
	for _, file := range []string{"microvm-1", "q35-1"} {
		m, rsdp := load(f, file)
		tables, err := Parse(m, rsdp)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(tables.Find("DSDT")[header:])
	}
	f.Add(s5Name)
	f.Fuzz(func(t *testing.T, b []byte) {
		if s := findS5(b); s.TypA > 7 || s.TypB > 7 || !s.Valid && s != (S5{}) {
			t.Errorf("%+v", s)
		}
		if e := findEvent(b); e != nil && (e.Mask == 0 || e.Select == 0) {
			t.Errorf("%+v", e)
		}
	})
}
