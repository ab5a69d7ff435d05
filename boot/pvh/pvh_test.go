package pvh

import (
	"encoding/binary"
	"strings"
	"testing"
)

const testBase = 0x6000

// image lays out a start information with everything in one buffer.
func image(version uint32, regions []Region, cmdline string, modules []Region) []byte {
	le := binary.LittleEndian
	b := make([]byte, 64)
	le.PutUint32(b, magic)
	le.PutUint32(b[4:], version)
	le.PutUint32(b[12:], uint32(len(modules)))
	le.PutUint64(b[32:], 0xf5ad0)
	le.PutUint32(b[48:], uint32(len(regions)))
	le.PutUint64(b[40:], testBase+uint64(len(b)))
	for _, r := range regions {
		b = le.AppendUint64(b, r.Start)
		b = le.AppendUint64(b, r.End-r.Start)
		b = le.AppendUint32(b, r.Type)
		b = le.AppendUint32(b, 0)
	}
	le.PutUint64(b[16:], testBase+uint64(len(b)))
	for _, m := range modules {
		b = le.AppendUint64(b, m.Start)
		b = le.AppendUint64(b, m.End-m.Start)
		b = append(b, make([]byte, 16)...)
	}
	le.PutUint64(b[24:], testBase+uint64(len(b)))
	return append(append(b, cmdline...), 0)
}

func memoryOf(b []byte) Memory {
	return func(pa uint64, n int) []byte {
		if pa < testBase || pa-testBase > uint64(len(b)) || uint64(n) > uint64(len(b))-(pa-testBase) {
			return nil
		}
		return b[pa-testBase:][:n]
	}
}

func TestParse(t *testing.T) {
	ram := []Region{{0, 0x9fc00, RAM}, {0xf0000, 0x100000, 2}, {0x100000, 0x8000000, RAM}}
	many := make([]Region, maxRegions+3)
	for i := range many {
		many[i] = Region{uint64(i) << 20, uint64(i+1) << 20, RAM}
	}
	magicless := image(1, ram, "", nil)
	magicless[0]++
	tests := []struct {
		name      string
		b         []byte
		want      string
		regions   int
		modules   int
		cmdline   string
		truncated int
	}{
		{"plain", image(1, ram, "loglevel=7", []Region{{0x7000000, 0x7100000, 0}}), "", 3, 1, "loglevel=7", 0},
		{"no modules, no command line", image(1, ram, "", nil), "", 3, 0, "", 0},
		{"empty region", image(1, append([]Region{{5, 5, RAM}}, ram...), "x", nil), "", 3, 0, "x", 0},
		{"end overflows", image(1, append([]Region{{1 << 63, 1, RAM}}, ram...), "x", nil), "", 3, 0, "x", 0},
		{"too many regions", image(1, many, "x", nil), "", maxRegions, 0, "x", 3},
		{"long command line", image(1, ram, strings.Repeat("a", MaxCmdline+1), nil), "", 3, 0, strings.Repeat("a", MaxCmdline), 0},
		{"no magic", magicless, "boot information has no PVH magic number", 0, 0, "", 0},
		{"version 0", image(0, ram, "", nil), "PVH boot information has no memory map: version 0", 0, 0, "", 0},
		{"no regions", image(1, nil, "", nil), "memory map is empty", 0, 0, "", 0},
		{"cut", image(1, ram, "abc", nil)[:80], "memory map is not in memory", 0, 0, "", 0},
		{"nothing", nil, "boot information is not in memory", 0, 0, "", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var in Info
			if got := Parse(&in, memoryOf(tt.b), testBase); got != tt.want {
				t.Fatalf("Parse = %q, want %q", got, tt.want)
			}
			if tt.want != "" {
				return
			}
			if len(in.Regions()) != tt.regions || len(in.Modules()) != tt.modules {
				t.Errorf("%d regions, %d modules; want %d, %d", len(in.Regions()), len(in.Modules()), tt.regions, tt.modules)
			}
			if string(in.Cmdline()) != tt.cmdline {
				t.Errorf("command line %q, want %q", in.Cmdline(), tt.cmdline)
			}
			if in.Truncated != tt.truncated || in.RSDP != 0xf5ad0 {
				t.Errorf("truncated %d, RSDP %#x", in.Truncated, in.RSDP)
			}
			for _, u := range in.Used() {
				if u.Start < testBase || u.End > testBase+uint64(len(tt.b)) {
					t.Errorf("used %#x-%#x is outside the information", u.Start, u.End)
				}
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add(image(1, []Region{{0, 1 << 20, RAM}}, "a=b", nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		var in Info
		if Parse(&in, memoryOf(b), testBase) == "" && len(in.Regions()) == 0 {
			t.Error("no error and no memory")
		}
	})
}
