package host

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// fakeApt puts programs in the place of apt's that know the package metapkg,
// which depends on pkg and other, once the lists have been fetched.
func fakeApt(t *testing.T) {
	t.Helper()
	bin := t.TempDir()
	t.Setenv("PATH", bin)
	script(t, bin, "apt-cache", fmt.Sprintf(`[ -e %s/lists ] || exit 100
echo metapkg; echo "  Depends: pkg"; echo "  Depends: other"`, bin))
	script(t, bin, "apt-get", fmt.Sprintf(`case "$*" in
*update) : >%[1]s/lists;;
*"download pkg") [ -e %[1]s/lists ] || exit 100; : >pkg_1_amd64.deb;;
*) echo "no such package"; exit 100;;
esac`, bin))
	script(t, bin, "dpkg-deb", `[ "$1" = -x ] && [ -e "$2" ] && : >"$3"/unpacked`)
}

func TestDownload(t *testing.T) {
	fakeApt(t)
	var out strings.Builder
	got, err := depends(t.Context(), &out, true, "metapkg")
	if want := []string{"pkg", "other"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("Depends: %v, %v, want %v", got, err, want)
	}
	if !strings.Contains(out.String(), "apt-get update") {
		t.Errorf("fetching the lists is not announced: %q", out.String())
	}
	dir := t.TempDir()
	if err := download(t.Context(), &out, true, "pkg", dir); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) != 1 || filepath.Base(left[0]) != "unpacked" {
		t.Errorf("the directory holds %v", left)
	}
	if err := download(t.Context(), &out, true, "nosuch", dir); err == nil || !strings.Contains(err.Error(), "no such package") {
		t.Errorf("a package that isn't there: %v", err)
	}
}

func TestWithLists(t *testing.T) {
	fakeApt(t)
	fails := fmt.Errorf("unknown")
	for _, root := range []bool{false, true} {
		tried := 0
		err := withLists(t.Context(), &strings.Builder{}, root, func() error {
			if tried++; tried == 1 {
				return fails
			}
			return nil
		})
		if root != (err == nil) || root != (tried == 2) {
			t.Errorf("root %v: %v after %d tries", root, err, tried)
		}
		if !root && !strings.Contains(err.Error(), "sudo apt-get update") {
			t.Errorf("the error names no command: %v", err)
		}
	}
	os.Remove(filepath.Join(os.Getenv("PATH"), "apt-cache"))
	if _, err := depends(t.Context(), &strings.Builder{}, true, "metapkg"); err == nil || !strings.Contains(err.Error(), "Debian") {
		t.Errorf("without apt: %v", err)
	}
}
