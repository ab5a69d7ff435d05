package tmpfs

import (
	"math"
	"testing"

	"mult/arch/hosted"
	"mult/fs/vfs"
	"mult/kern/abi"
	"mult/kern/errno"
)

func TestOptions(t *testing.T) {
	const none = math.MaxInt64
	for _, tt := range []struct {
		s    string
		want Options
		err  error
	}{
		{"", Options{MaxPages: 500, MaxNodes: 500}, nil},
		{",size=1m,,", Options{MaxPages: 256, MaxNodes: 500}, nil},
		{"size=1", Options{MaxPages: 1, MaxNodes: 500}, nil},
		{"size=10%", Options{MaxPages: 100, MaxNodes: 500}, nil},
		{"size=0,nr_inodes=0", Options{MaxPages: none, MaxNodes: none}, nil},
		{"nr_blocks=2K,nr_inodes=10,uid=5,gid=6", Options{MaxPages: 2048, MaxNodes: 10, UID: 5, GID: 6}, nil},
		{"mode=0", Options{MaxPages: 500, MaxNodes: 500, Mode: abi.S_IFDIR}, nil},
		{"mode=1755", Options{MaxPages: 500, MaxNodes: 500, Mode: abi.S_IFDIR | 0o1755}, nil},
		{"size=16E", Options{}, errno.EINVAL},
		{"size=18446744073709551615", Options{MaxPages: 1 << 52, MaxNodes: 500}, nil},
		{"size=", Options{}, errno.EINVAL},
		{"size=k", Options{}, errno.EINVAL},
		{"size=-1", Options{}, errno.EINVAL},
		{"size=9999999999%", Options{}, errno.EINVAL},
		{"mode=9", Options{}, errno.EINVAL},
		{"uid=4294967295", Options{}, errno.EINVAL},
		{"nosuch", Options{}, errno.EINVAL},
	} {
		o := Defaults(1000)
		if err := o.Parse(tt.s, 1000); err != tt.err || err == nil && o != tt.want {
			t.Errorf("%q: %+v, %v; want %+v, %v", tt.s, o, err, tt.want, tt.err)
		}
	}
}

func FuzzOptions(f *testing.F) {
	f.Add("size=10m,mode=755,uid=1", uint64(1000))
	f.Fuzz(func(t *testing.T, s string, total uint64) {
		o := Defaults(total)
		if o.Parse(s, total) == nil && (o.MaxPages <= 0 || o.MaxNodes <= 0 || o.Mode&^(0o7777|abi.S_IFDIR) != 0) {
			t.Errorf("%q of %d: %+v", s, total, o)
		}
	})
}

func TestRemountLimits(t *testing.T) {
	m := hosted.New(8 << 20)
	defer m.Close()
	b := newBench(t, m, Options{MaxPages: 4})
	b.write(make([]byte, 3*pageSize), 0)
	for _, tt := range []struct {
		s    string
		want error
	}{{"size=8k", errno.EINVAL}, {"nr_inodes=1", errno.EINVAL}, {"what", errno.EINVAL}, {"size=12k,nr_inodes=2", nil}} {
		if err := b.super.Remount(tt.s); err != tt.want {
			t.Errorf("%q: %v, want %v", tt.s, err, tt.want)
		}
	}
	if s := b.super.Statfs(); s.Blocks != 3 || s.Bfree != 0 || s.Files != 2 {
		t.Errorf("%+v", s)
	}
	if _, err := b.super.Root.(*dir).Make("more", &vfs.Make{Mode: abi.S_IFREG}); err != errno.ENOSPC {
		t.Errorf("one more file: %v", err)
	}
	b.end()
}
