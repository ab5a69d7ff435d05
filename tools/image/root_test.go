package image

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"mult/tools/host"
	"mult/tools/host/hosttest"
)

// TestRoot builds the image twice, for a user with another umask the second
// time, and looks into it with the tools that come with mkfs.erofs.
func TestRoot(t *testing.T) {
	busybox := hosttest.Require(t, host.Busybox)
	hosttest.Require(t, host.EROFS)
	hosttest.Require(t, host.GCC)
	own, err := programs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	id, err := rootID(busybox, own)
	if err != nil {
		t.Fatal(err)
	}
	var images [2][]byte
	var image string
	defer syscall.Umask(syscall.Umask(0o022))
	for i := range images {
		syscall.Umask([]int{0o022, 0o077}[i])
		build := t.TempDir()
		image = filepath.Join(build, "root.erofs")
		if err := buildRoot(t.Context(), build, image, busybox, own, "", id); err != nil {
			t.Fatal(err)
		}
		if images[i], err = os.ReadFile(image); err != nil {
			t.Fatal(err)
		}
		if left, _ := filepath.Glob(filepath.Join(build, "*")); len(left) != 1 {
			t.Errorf("the build left %v", left)
		}
	}
	if !bytes.Equal(images[0], images[1]) {
		t.Error("two builds of the same things differ")
	}
	if got, err := volumeID(image); got != id || err != nil {
		t.Errorf("volume id %x, %v; want %x", got, err, id)
	}

	tests := []struct{ path, want string }{
		{"/bin/sh", "symlink 777"},
		{"/sbin/init", "symlink 777"},
		{"/usr/bin/env", "symlink 777"},
		{"/bin/busybox", "file 755"},
		{"/sbin/instinit", "file 755"},
		{"/sbin/instctl", "file 755"},
		{"/bin/instps", "symlink 777"},
		{"/etc/passwd", "file 644"},
		{"/etc/hostname", "file 644"},
		{"/root", "dir 700"},
		{"/tmp", "dir 1777"},
		{"/proc", "dir 755"},
	}
	dir := extract(t, image)
	for _, tt := range tests {
		if got := describe(t, filepath.Join(dir, tt.path)); got != tt.want {
			t.Errorf("%s is %s, want %s", tt.path, got, tt.want)
		}
	}
	for name, want := range map[string]string{"bin/sh": "/bin/busybox", "bin/instps": "/sbin/instctl", "sbin/instinfo": "/sbin/instctl"} {
		if link, _ := os.Readlink(filepath.Join(dir, name)); link != want {
			t.Errorf("/%s leads to %q, want %s", name, link, want)
		}
	}
	// Each idle instance has one: it fits into two pages, and has nothing to write to.
	if st, err := os.Stat(filepath.Join(dir, "sbin/instinit")); err != nil || st.Size() > 8192 {
		t.Errorf("instinit has %d bytes, %v", st.Size(), err)
	}
}

// extract unpacks an image into a new directory.
func extract(t *testing.T, image string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "x")
	out, err := exec.Command("fsck.erofs", "--extract="+dir, "--preserve-perms", image).CombinedOutput()
	if err != nil {
		t.Fatalf("fsck.erofs: %v\n%s", err, out)
	}
	return dir
}

func describe(t *testing.T, path string) string {
	t.Helper()
	format := map[string]string{"regular file": "file", "symbolic link": "symlink", "directory": "dir"}
	out, err := exec.Command("stat", "-c", "%F|%a", path).Output()
	if err != nil {
		t.Errorf("%s: %v", path, err)
		return ""
	}
	kind, mode, _ := bytes.Cut(bytes.TrimSpace(out), []byte("|"))
	return format[string(kind)] + " " + string(mode)
}
