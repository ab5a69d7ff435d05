package acpi

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// image is physical memory with holes, from firmware or made up.
type image map[uint64][]byte

func (m image) Bytes(pa uint64, n int) []byte {
	for at, b := range m {
		if pa >= at && pa-at <= uint64(len(b)) && uint64(n) <= uint64(len(b))-(pa-at) {
			return b[pa-at:][:n]
		}
	}
	return nil
}

// recorder notes what is read.
type recorder struct {
	Memory
	image image
}

func (r recorder) Bytes(pa uint64, n int) []byte {
	b := r.Memory.Bytes(pa, n)
	if len(b) > len(r.image[pa]) {
		r.image[pa] = b
	}
	return b
}

// The files in testdata hold what Parse reads on a machine of QEMU 7.2, as
// records of address, size and bytes; the first is the RSDP. TestQEMU
// writes them anew when given -update.

func (m image) save(t *testing.T, name string, rsdp uint64) {
	var out []byte
	add := func(pa uint64) {
		out = le.AppendUint64(out, pa)
		out = le.AppendUint64(out, uint64(len(m[pa])))
		out = append(out, m[pa]...)
	}
	add(rsdp)
	var rest []uint64
	for pa := range m {
		if pa != rsdp {
			rest = append(rest, pa)
		}
	}
	slices.Sort(rest)
	for _, pa := range rest {
		add(pa)
	}
	if err := os.WriteFile(filepath.Join("testdata", name), out, 0o666); err != nil {
		t.Fatal(err)
	}
}

func load(t testing.TB, name string) (m image, rsdp uint64) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	m = make(image)
	for len(b) > 0 {
		pa, n := le.Uint64(b), le.Uint64(b[8:])
		if len(m) == 0 {
			rsdp = pa
		}
		m[pa], b = b[16:][:n:n], b[16+n:]
	}
	return m, rsdp
}

// fix makes the sum of table b right.
func fix(b []byte) []byte {
	b[9] -= sum(b)
	return b
}

// newTable returns a table with the given body.
func newTable(sig string, revision uint8, body ...byte) []byte {
	b := make([]byte, header, header+len(body))
	copy(b, sig)
	le.PutUint32(b[4:], uint32(header+len(body)))
	b[8] = revision
	return fix(append(b, body...))
}

// Places in made-up machines.
const (
	atRSDP = 0xf0000
	atRoot = 0x100000
	atRest = 0x200000 // 64 KiB for each table
)

// machine puts tables into memory under an XSDT, or an RSDT if revision is 0.
func machine(revision uint8, tables ...[]byte) image {
	m := make(image)
	var list []byte
	for i, b := range tables {
		pa := uint64(atRest + i<<16)
		m[pa] = b
		if revision == 0 {
			list = le.AppendUint32(list, uint32(pa))
		} else {
			list = le.AppendUint64(list, pa)
		}
	}
	r := make([]byte, rsdpV2)
	copy(r, "RSD PTR ")
	r[15] = revision
	if revision == 0 {
		m[atRoot] = newTable("RSDT", 1, list...)
		le.PutUint32(r[16:], atRoot)
	} else {
		m[atRoot] = newTable("XSDT", 1, list...)
		le.PutUint32(r[20:], rsdpV2)
		le.PutUint64(r[24:], atRoot)
	}
	r[8] -= sum(r[:rsdpV1])
	r[32] -= sum(r)
	m[atRSDP] = r
	return m
}

// fadt returns a FADT of 268 bytes after set has filled it.
func fadt(revision uint8, set func([]byte)) []byte {
	b := newTable("FACP", revision, make([]byte, fadtV5-header)...)
	set(b)
	return fix(b)
}
