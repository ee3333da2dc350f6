package access

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/leadbaton/baton/services/internal/fault"
)

func TestTokens(t *testing.T) {
	a, b := NewToken(), NewToken()
	if a == b || !wellFormed(a) || !strings.HasPrefix(a, "baton_") {
		t.Errorf("tokens %d and %d characters long", len(a), len(b))
	}
	if HashToken(a) == HashToken(b) || HashToken(a) != HashToken(string([]byte(a))) {
		t.Error("digests do not tell tokens apart")
	}
	for _, bad := range []string{"", "baton_", a[:len(a)-1], a + "A", a[len("baton_"):], "Baton_" + a[6:]} {
		if wellFormed(bad) {
			t.Errorf("%d characters are taken for a token", len(bad))
		}
	}
	c := TokenCredentials{Token: a}
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		if strings.Contains(fmt.Sprintf(format, c), a) {
			t.Errorf("%s prints the token", format)
		}
	}
}

func TestDirectories(t *testing.T) {
	admin, ana := NewToken(), NewToken()
	d := Directories{NewAdmin(admin), NewStatic(ana, Actor{Handle: "ana", Roles: []string{Sales}})}
	if a, ok := d.Lookup(HashToken(admin)); !ok || a.Handle != AdminHandle || !a.Has(Auditor) || !a.Has() {
		t.Errorf("admin: %v, %v", a, ok)
	}
	if a, ok := d.Lookup(HashToken(ana)); !ok || a.Handle != "ana" || a.Has(Manager, Operator) || !a.Has(Manager, Sales) || a.Has() {
		t.Errorf("ana: %v, %v", a, ok)
	}
	if a, ok := d.Lookup(HashToken(NewToken())); ok {
		t.Errorf("a stranger is %v", a)
	}
}

func TestAdminTokenIsMadeOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	if _, err := LoadAdminToken(dir); !fault.Is(err, fault.NotFound) {
		t.Fatalf("before the first start: %v", err)
	}
	got := make([]string, 8)
	var wg sync.WaitGroup
	for i := range got {
		wg.Go(func() {
			token, err := LoadOrCreateAdminToken(dir)
			if err != nil {
				t.Error(err)
			}
			got[i] = token
		})
	}
	wg.Wait()
	again, err := LoadAdminToken(dir)
	if err != nil || !wellFormed(again) {
		t.Fatal(err)
	}
	for _, g := range got {
		if g != again {
			t.Error("two starts answer different tokens")
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
	info, err := os.Stat(filepath.Join(dir, AdminTokenFile))
	if err != nil || (runtime.GOOS != "windows" && info.Mode().Perm() != 0o600) {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestAdminTokenRefusals(t *testing.T) {
	for _, c := range []struct {
		name, text string
		mode       fs.FileMode
		want       fault.Kind
	}{
		{"empty", "", 0o600, fault.Corrupt},
		{"not a token", "secret\n", 0o600, fault.Corrupt},
		{"readable by all", NewToken(), 0o644, fault.State},
		{"changeable by the group", NewToken(), 0o660, fault.State},
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, AdminTokenFile)
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, c.mode); err != nil {
			t.Fatal(err)
		}
		_, err := LoadOrCreateAdminToken(dir)
		if !fault.Is(err, c.want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", c.name, err)
		}
		if c.text != "" && strings.Contains(err.Error(), strings.TrimSpace(c.text)) {
			t.Errorf("%s: the fault holds what the file holds", c.name)
		}
		left, err := os.ReadFile(path)
		if err != nil || string(left) != c.text {
			t.Errorf("%s: the file changed", c.name)
		}
	}
	mounted := t.TempDir()
	token := NewToken()
	if err := os.WriteFile(filepath.Join(mounted, AdminTokenFile), []byte(token), 0o440); err != nil {
		t.Fatal(err)
	}
	if got, err := LoadAdminToken(mounted); err != nil || got != token {
		t.Errorf("a mounted secret: %v", err)
	}
}
