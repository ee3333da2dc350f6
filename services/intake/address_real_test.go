//go:build real

package intake

import (
	"bufio"
	"compress/gzip"
	"encoding/xml"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
)

func realData(t *testing.T, elem ...string) string {
	t.Helper()
	path := filepath.Join(append([]string{"..", "..", "..", "shared", "data"}, elem...)...)
	if _, err := os.Stat(path); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestRealAddresses(t *testing.T) {
	raw, err := os.ReadFile(realData(t, "address-vectors", "isemail-tests.xml"))
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Tests []struct {
			ID       string `xml:"id,attr"`
			Address  string `xml:"address"`
			Category string `xml:"category"`
		} `xml:"test"`
	}
	if err := xml.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	// The file writes control characters as their pictures.
	control := func(r rune) rune {
		if r >= 0x2400 && r <= 0x241f {
			return r - 0x2400
		}
		return r
	}
	var valid, faulty, refused int
	for _, test := range doc.Tests {
		address := strings.Map(control, test.Address)
		_, ok := NormaliseEmail(address)
		switch test.Category {
		case "ISEMAIL_VALID_CATEGORY", "ISEMAIL_DNSWARN":
			valid++
			if !ok {
				t.Errorf("vector %s is valid and was refused: %q", test.ID, address)
			}
		case "ISEMAIL_ERR":
			faulty++
			if !ok {
				refused++
			} else {
				t.Logf("vector %s is faulty and was taken: %q", test.ID, address)
			}
		}
	}
	t.Logf("%d valid addresses; %d of %d faulty refused", valid, refused, faulty)
	if valid != 22 || faulty != 66 || refused < 64 {
		t.Errorf("%d valid, %d of %d faulty refused; want 22 and at least 64 of 66", valid, refused, faulty)
	}
}

func TestRealRegistrableDomains(t *testing.T) {
	f, err := os.Open(realData(t, "address-vectors", "psl-tests.txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	ran := 0
	for lines := bufio.NewScanner(f); lines.Scan(); {
		host, want, ok := strings.Cut(strings.TrimSpace(lines.Text()), " ")
		if !ok || strings.HasPrefix(host, "//") {
			continue
		}
		ran++
		if host == "null" {
			host = ""
		}
		got, ok := RegistrableDomain(host)
		if want == "null" {
			if ok {
				t.Errorf("RegistrableDomain(%q) = %q; nobody can register it", host, got)
			}
			continue
		}
		if want, _ := NormaliseDomain(want); got != want {
			t.Errorf("RegistrableDomain(%q) = %q, want %q", host, got, want)
		}
	}
	if ran != 78 {
		t.Errorf("%d cases ran, want 78", ran)
	}
}

// The list of free providers holds every domain of the other: disposable wins.
func TestRealDisposableDomains(t *testing.T) {
	packed, err := os.Open(realData(t, "email-domains", "kikobeats-free-domains.json.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer packed.Close()
	unpacked, err := gzip.NewReader(packed)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(unpacked)
	if err != nil {
		t.Fatal(err)
	}
	free := filepath.Join(t.TempDir(), "free.json")
	if err := os.WriteFile(free, text, 0o600); err != nil {
		t.Fatal(err)
	}
	disposable := realData(t, "email-domains", "disposable_email_blocklist.conf")
	domains, err := LoadDomains(disposable, free)
	if err != nil {
		t.Fatal(err)
	}
	list, err := os.ReadFile(disposable)
	if err != nil {
		t.Fatal(err)
	}
	known := 0
	for _, name := range strings.Fields(string(list)) {
		m := Mapped{Submission: &intakev1.Submission{Personal: &leadv1.PersonalData{Email: "a@" + name}}}
		complete(&m, nil, domains, atNoon)
		f := m.Submission.GetFeatures()
		if !f.GetDisposableEmail() || f.GetFreeEmail() {
			t.Errorf("%s: disposable %v, free %v", name, f.GetDisposableEmail(), f.GetFreeEmail())
			continue
		}
		known++
	}
	if known != 8335 {
		t.Errorf("%d domains known as disposable, want 8,335", known)
	}
	for _, name := range []string{"gmail.com", "outlook.com", "proton.me"} {
		if !domains.Free(name) || domains.Disposable(name) {
			t.Errorf("%s is a free provider", name)
		}
	}
}
