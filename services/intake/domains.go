package intake

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"strings"

	"golang.org/x/net/publicsuffix"

	"github.com/leadbaton/baton/services/internal/fault"
)

// maxDomains is the most bytes of a list of domains.
const maxDomains = 16 << 20

// Domains knows which domains say nothing about a company: those of providers
// that give an address to anybody, and those whose addresses are thrown away.
// The nil Domains knows the built-in lists alone.
type Domains struct{ free, disposable map[string]bool }

// LoadDomains adds lists from files to the built-in ones; an empty path adds
// nothing. A list is one domain a line, where # and // begin a comment, or a
// JSON array of texts. A line that is no domain is a fault: a list that is half
// understood lets the rest through.
func LoadDomains(disposableFile, freeFile string) (*Domains, error) {
	d := &Domains{}
	for _, list := range []struct {
		path string
		into *map[string]bool
	}{{disposableFile, &d.disposable}, {freeFile, &d.free}} {
		if list.path == "" {
			continue
		}
		f, err := os.Open(list.path)
		if err != nil {
			return nil, fault.New(fault.NotFound, "the list of domains cannot be read: %w", err)
		}
		names, err := readDomains(f)
		f.Close()
		if err != nil {
			return nil, fault.New(fault.Of(err), "%s: %w", list.path, err)
		}
		*list.into = names
	}
	return d, nil
}

func readDomains(in io.Reader) (map[string]bool, error) {
	raw, err := io.ReadAll(io.LimitReader(in, maxDomains+1))
	if err != nil {
		return nil, fault.New(fault.Unavailable, "the list cannot be read: %w", err)
	}
	if len(raw) > maxDomains {
		return nil, fault.New(fault.Invalid, "the list has more than %d MiB; give one of domains alone", maxDomains>>20)
	}
	var typed []string
	if trimmed := bytes.TrimSpace(raw); bytes.HasPrefix(trimmed, []byte("[")) {
		if err := json.Unmarshal(trimmed, &typed); err != nil {
			return nil, fault.New(fault.Invalid, "the list begins like a JSON array and is none: write an array of texts, or one domain a line")
		}
	} else {
		for line := range strings.Lines(string(raw)) {
			line, _, _ = strings.Cut(line, "#")
			line, _, _ = strings.Cut(line, "//")
			if line = strings.TrimSpace(line); line != "" {
				typed = append(typed, line)
			}
		}
	}
	names := make(map[string]bool, len(typed))
	for i, text := range typed {
		domain, ok := NormaliseDomain(text)
		if !ok {
			return nil, fault.New(fault.Invalid, "entry %d of the list is no domain", i+1)
		}
		names[domain] = true
	}
	return names, nil
}

// Disposable says whether a domain, or one that it lies below, gives addresses
// to be thrown away.
func (d *Domains) Disposable(domain string) bool {
	for name := domain; name != ""; _, name, _ = strings.Cut(name, ".") {
		if disposableMail[name] || d != nil && d.disposable[name] {
			return true
		}
	}
	return false
}

// Free says whether a domain is one of a provider that gives an address to
// anybody. Disposable wins: lists of free providers hold those as well.
func (d *Domains) Free(domain string) bool {
	return (freeMail[domain] || d != nil && d.free[domain]) && !d.Disposable(domain)
}

// CompanyDomain is the registered domain of whoever a normalised address
// belongs to; empty where the domain says nothing about a company.
func (d *Domains) CompanyDomain(email string) string {
	domain := domainOf(email)
	if d.Disposable(domain) || d.Free(domain) {
		return ""
	}
	registered, ok := RegistrableDomain(domain)
	if !ok || d.Free(registered) {
		return ""
	}
	return registered
}

// RegistrableDomain is the part of a host that somebody registered, in ASCII:
// one label more than the public suffix. False for a suffix itself and for what
// is no host.
func RegistrableDomain(host string) (string, bool) {
	domain, ok := NormaliseDomain(host)
	if !ok {
		return "", false
	}
	registered, err := publicsuffix.EffectiveTLDPlusOne(domain)
	return registered, err == nil
}

func domainOf(email string) string { return email[strings.LastIndexByte(email, '@')+1:] }
