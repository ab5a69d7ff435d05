package linux

import (
	"strings"
	"testing"

	"mult/arch/hosted"
	"mult/fs/tmpfs"
	"mult/fs/vfs"
	"mult/inst"
	"mult/inst/insttest"
	"mult/kern/abi"
	"mult/kern/errno"
	"mult/kern/file"
	"mult/kern/proc"
	"mult/kern/vm"
)

// onThread calls f on the first thread of a new instance with a tmpfs, some
// memory of its program, and tmpfs for mount(2).
func onThread(t *testing.T, f func(k *Kernel, th *proc.Thread, at vm.Addr)) {
	t.Helper()
	m := hosted.New(16 << 20)
	defer m.Close()
	sys := &proc.System{VM: &vm.System{Machine: m, Memory: m.Memory()}, Parts: []proc.Part{vfs.Part, file.Part}}
	over := make(chan bool)
	sys.InitExited = func(*inst.Inst, proc.Status) { close(over) }
	k := &Kernel{FileSystems: []FileSystem{{Name: "tmpfs", Make: func(in *inst.Inst, options string) (*vfs.Super, error) {
		o := tmpfs.Defaults(1000)
		if err := o.Parse(options, 1000); err != nil {
			return nil, err
		}
		return tmpfs.New(in, m.Memory(), o)
	}}}}
	sys.Run = func(th *proc.Thread) {
		defer th.Exit(proc.ExitStatus(0))
		at, err := th.Space().Map(vm.MapArgs{Len: 16 * vm.PageSize, Prot: vm.Read | vm.Write})
		if err != nil {
			t.Error(err)
			return
		}
		f(k, th, at)
	}
	members := []inst.Member{vfs.Member, tmpfs.Member(m.Memory()), file.Member, proc.Member(sys)}
	in := insttest.New(t, "test", members...)
	root, err := tmpfs.New(in, m.Memory(), tmpfs.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := vfs.MountRoot(root, 0); err != nil {
		t.Fatal(err)
	}
	sp, err := vm.New(sys.VM, in)
	if err != nil {
		t.Fatal(err)
	}
	th, err := proc.Boot(in, sp)
	if err != nil {
		t.Fatal(err)
	}
	th.Start()
	<-over
	in.Release()
	if h, n := in.Used(inst.Heap), in.Used(inst.Frames); h != 0 || n != 0 {
		t.Errorf("%d bytes and %d frames left", h, n)
	}
}

// put writes a string with its zero byte to the program.
func put(t *testing.T, th *proc.Thread, at vm.Addr, s string) uint64 {
	if err := th.Space().CopyOut(at, []byte(s+"\x00")); err != nil {
		t.Error(err)
	}
	return uint64(at)
}

func TestOpenLimits(t *testing.T) {
	onThread(t, func(k *Kernel, th *proc.Thread, at vm.Addr) {
		open := func(path string, flags uint64, want error) {
			t.Helper()
			if _, err := sysOpen(k, th, &Args{put(t, th, at, path), flags, 0o600}); err != want {
				t.Errorf("open of %.20q: %v, want %v", path, err, want)
			}
		}
		open(strings.Repeat("./", 2047)+".", 0, nil)
		open(strings.Repeat("./", 2048), 0, errno.ENAMETOOLONG)
		open("nosuch", 0, errno.ENOENT)
		open("/", 0, nil) // has the descriptor that the failed one gave back
		for {
			if _, err := sysDup(k, th, &Args{0}); err != nil {
				break
			}
		}
		open("nosuch", 0, errno.EMFILE)
		open("new", abi.O_CREAT|abi.O_WRONLY, errno.EMFILE)
		if _, err := vfs.For(th).Stat(nil, "new", 0); err != errno.ENOENT {
			t.Errorf("a file that could not be opened was made: %v", err)
		}
		file.Of(th.Proc).Close(th, 5)
		open("new", abi.O_CREAT|abi.O_WRONLY, nil)
	})
}

func TestMemfdCreate(t *testing.T) {
	onThread(t, func(k *Kernel, th *proc.Thread, at vm.Addr) {
		for _, tt := range []struct {
			name  string
			flags uint64
			want  error
		}{
			{"m", 1, nil}, {"", 0x11, nil}, {strings.Repeat("n", 249), 0, nil},
			{strings.Repeat("n", 250), 0, errno.EINVAL}, {"m", 2, errno.EINVAL}, {"m", 0x1000, errno.EINVAL},
		} {
			if _, err := sysMemfdCreate(k, th, &Args{put(t, th, at, tt.name), tt.flags}); err != tt.want {
				t.Errorf("%.9q, %#x: %v, want %v", tt.name, tt.flags, err, tt.want)
			}
		}
		if on, err := file.Of(th.Proc).CloseOnExec(0); !on || err != nil {
			t.Errorf("close on exec: %v, %v", on, err)
		}
	})
}

func TestMount(t *testing.T) {
	onThread(t, func(k *Kernel, th *proc.Thread, at vm.Addr) {
		if err := vfs.For(th).Mkdir(nil, "/m", 0o755); err != nil {
			t.Error(err)
		}
		for _, tt := range []struct {
			path, kind string
			flags      uint64
			options    string
			want       error
		}{
			{"/nosuch", "tmpfs", 0, "", errno.ENOENT},
			{"/m", "nosuch", 0, "", errno.ENODEV},
			{"/m", "tmpfs", 0, "size=x", errno.EINVAL},
			{"/m", "tmpfs", msBind, "", errno.EINVAL},
			{"/m", "tmpfs", msRemount, "", errno.EINVAL},
			{"/m", "tmpfs", msMagic | vfs.MS_NOSUID, "size=1m", nil},
			{"/m", "", msRemount | vfs.MS_RDONLY, "size=2m", nil},
			{"/m", "", msPrivate | msRec, "", nil},
			{"/m", "", msShared, "", errno.EINVAL},
		} {
			a := &Args{0, put(t, th, at, tt.path), put(t, th, at+100, tt.kind), tt.flags, put(t, th, at+200, tt.options)}
			if _, err := sysMount(k, th, a); err != tt.want {
				t.Errorf("%+v: %v", tt, err)
			}
		}
		vfs.TableOf(th.Proc.Inst).Mounts(func(m *vfs.Mount, name string) {
			if name == "/m" && (m.Flags() != vfs.MS_RDONLY|vfs.MS_RELATIME || m.Super.Source != "none" || m.Super.Options() != "size=2048k") {
				t.Errorf("flags %#x, %q, %q", m.Flags(), m.Super.Source, m.Super.Options())
			}
		})
		for _, tt := range []struct {
			path  string
			flags uint64
			want  error
		}{{"/m", 16, errno.EINVAL}, {"/nosuch", 0, errno.ENOENT}, {"/m", vfs.UMOUNT_NOFOLLOW, nil}, {"/m", 0, errno.EINVAL}, {"/", vfs.MNT_DETACH, errno.EBUSY}, {"/", 0, nil}} {
			if _, err := sysUmount2(k, th, &Args{put(t, th, at, tt.path), tt.flags}); err != tt.want {
				t.Errorf("umount2 %+v: %v", tt, err)
			}
		}
	})
}

// TestSendfileInterrupted has a signal end a long transfer.
func TestSendfileInterrupted(t *testing.T) {
	onThread(t, func(k *Kernel, th *proc.Thread, at vm.Addr) {
		open := func(path string) uint64 {
			fd, err := sysOpen(k, th, &Args{put(t, th, at, path), abi.O_CREAT | abi.O_RDWR, 0o600})
			if err != nil {
				t.Error(err)
			}
			return uint64(fd)
		}
		const size = 1 << 20
		in, out := open("/in"), open("/out")
		if _, err := sysFtruncate(k, th, &Args{in, size}); err != nil {
			t.Error(err)
		}
		act := make([]byte, 32)
		act[0], act[11] = 1<<4, 4 // a handler, SA_RESTORER
		if err := th.Space().CopyOut(at, act); err != nil {
			t.Error(err)
		}
		if _, err := sysRtSigaction(k, th, &Args{uint64(proc.SIGUSR1), uint64(at), 0, 8}); err != nil {
			t.Error(err)
		}
		if _, err := sysTkill(k, th, &Args{uint64(th.TID), uint64(proc.SIGUSR1)}); err != nil {
			t.Error(err)
		}
		if n, err := sysSendfile(k, th, &Args{out, in, 0, size}); n != copyBuffer || err != nil {
			t.Errorf("with a signal: %d, %v, want %d", n, err, copyBuffer)
		}
		th.NextSignal()
		if n, err := sysSendfile(k, th, &Args{out, in, 0, size}); n != size-copyBuffer || err != nil {
			t.Errorf("without: %d, %v", n, err)
		}
	})
}
