//go:build !tamago

package qtest

import "testing"

func TestStart(t *testing.T) {
	for _, machine := range []string{"microvm", "q35"} {
		t.Run(machine, func(t *testing.T) {
			m := Start(t, "-M", machine)
			const magic = 0x336ec578 // of the PVH start information
			if got := m.Read32(m.StartInfo()); got != magic {
				t.Errorf("start information begins with %#x, want %#x", got, magic)
			}
			m.Write32(0x200000, 0x12345678)
			if b := m.Bytes(0x200000, 2); len(b) != 2 || b[0] != 0x78 || b[1] != 0x56 {
				t.Errorf("Bytes = %x", b)
			}
			m.Gone()
			m.QMP("quit")
			if err := m.Wait(); err != nil {
				t.Error(err)
			}
			if got := m.In8(0x80); got != 0xff {
				t.Errorf("In8 of a machine that has gone = %#x", got)
			}
		})
	}
}
