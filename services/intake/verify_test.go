package intake

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	"github.com/leadbaton/baton/services/internal/clock"
	"github.com/leadbaton/baton/services/internal/fault"
)

func sign(secret, body string) []byte {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(body))
	return mac.Sum(nil)
}

func TestVerify(t *testing.T) {
	hexed := &intakev1.Verification{Algorithm: "hmac-sha256", Header: "X-Hub-Signature-256", Prefix: "sha256=", Encoding: "hex"}
	based := &intakev1.Verification{Algorithm: "hmac-sha256", Header: "X-Sign", Encoding: "base64"}
	other := &intakev1.Verification{Algorithm: "hmac-md5", Header: "X-Sign", Encoding: "base64"}
	prefixed := &intakev1.Verification{Algorithm: "hmac-sha256", Header: "X-Sign", Encoding: "base64", KeyPrefix: "whsec_"}
	// The body is chosen so that both base64 alphabets differ in its signature.
	const secret, body = "s3cret", "body 3"
	sum := sign(secret, body)
	tests := []struct {
		name    string
		v       *intakev1.Verification
		secrets []string
		headers []string
		body    string
		want    bool
	}{
		{"hex", hexed, []string{secret}, []string{"sha256=" + hex.EncodeToString(sum)}, body, true},
		{"hex in capitals", hexed, []string{secret}, []string{"sha256=" + strings.ToUpper(hex.EncodeToString(sum))}, body, true},
		{"the second of two secrets", hexed, []string{"old", secret}, []string{"sha256=" + hex.EncodeToString(sum)}, body, true},
		{"the first of two secrets", hexed, []string{secret, "new"}, []string{"sha256=" + hex.EncodeToString(sum)}, body, true},
		{"base64", based, []string{secret}, []string{base64.StdEncoding.EncodeToString(sum)}, body, true},
		{"base64 without padding", based, []string{secret}, []string{base64.RawStdEncoding.EncodeToString(sum)}, body, true},
		{"base64 for addresses", based, []string{secret}, []string{base64.URLEncoding.EncodeToString(sum)}, body, true},
		{"another secret", hexed, []string{"wrong"}, []string{"sha256=" + hex.EncodeToString(sum)}, body, false},
		{"another body", hexed, []string{secret}, []string{"sha256=" + hex.EncodeToString(sum)}, body + " ", false},
		{"no header", hexed, []string{secret}, nil, body, false},
		{"an empty header", hexed, []string{secret}, []string{""}, body, false},
		{"two headers", hexed, []string{secret}, []string{"sha256=" + hex.EncodeToString(sum), "sha256=00"}, body, false},
		{"without the prefix", hexed, []string{secret}, []string{hex.EncodeToString(sum)}, body, false},
		{"half of it", hexed, []string{secret}, []string{"sha256=" + hex.EncodeToString(sum[:16])}, body, false},
		{"zeros", hexed, []string{secret}, []string{"sha256=" + strings.Repeat("0", 64)}, body, false},
		{"no hex", hexed, []string{secret}, []string{"sha256=" + strings.Repeat("z", 64)}, body, false},
		{"very long", hexed, []string{secret}, []string{"sha256=" + strings.Repeat("0", 1<<16)}, body, false},
		{"no secrets", hexed, nil, []string{"sha256=" + hex.EncodeToString(sum)}, body, false},
		{"the decoy's own signature", hexed, nil, []string{"sha256=" + hex.EncodeToString(sign(string(decoyKey), body))}, body, false},
		{"an empty secret", hexed, []string{""}, []string{"sha256=" + hex.EncodeToString(sign("", body))}, body, false},
		{"a secret that is only its prefix", prefixed, []string{"whsec_"}, []string{base64.StdEncoding.EncodeToString(sign("", body))}, body, false},
		{"an empty secret beside a good one", hexed, []string{"", secret}, []string{"sha256=" + hex.EncodeToString(sign("", body))}, body, false},
		{"another algorithm", other, []string{secret}, []string{base64.StdEncoding.EncodeToString(sum)}, body, false},
		{"no declaration", nil, []string{secret}, []string{"sha256=" + hex.EncodeToString(sum)}, body, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			header := http.Header{}
			for _, h := range tt.headers {
				name := tt.v.GetHeader()
				if name == "" {
					name = "X-Hub-Signature-256"
				}
				header.Add(name, h)
			}
			var secrets [][]byte
			for _, s := range tt.secrets {
				secrets = append(secrets, []byte(s))
			}
			if got := Verify(tt.v, secrets, Request{Header: header, Body: []byte(tt.body)}); got != tt.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestSecrets(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "secret")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	now := clock.NewVirtual(time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC))
	s := &Secrets{Clock: now, Env: func(name string) (string, bool) {
		v, ok := map[string]string{"SET": "one\ntwo", "EMPTY": " "}[name]
		return v, ok
	}}
	resolve := func(ref string) []string {
		t.Helper()
		got, err := s.Resolve(ref)
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, b := range got {
			out = append(out, string(b))
		}
		return out
	}
	write("It's a Secret to Everybody\n")
	if diff := cmp.Diff([]string{"It's a Secret to Everybody"}, resolve("file:"+path)); diff != "" {
		t.Error(diff)
	}
	write("new one\r\n\nIt's a Secret to Everybody")
	now.Set(now.Now().Add(999 * time.Millisecond))
	if diff := cmp.Diff([]string{"It's a Secret to Everybody"}, resolve("file:"+path)); diff != "" {
		t.Error("looked at more than once a second:", diff)
	}
	now.Set(now.Now().Add(time.Millisecond))
	if diff := cmp.Diff([]string{"new one", "It's a Secret to Everybody"}, resolve("file:"+path)); diff != "" {
		t.Error("a changed file:", diff)
	}
	if diff := cmp.Diff([]string{"one", "two"}, resolve("env:SET")); diff != "" {
		t.Error(diff)
	}
	write("\n \n")
	now.Set(now.Now().Add(time.Second))
	for _, ref := range []string{"file:" + path, "file:" + dir, "file:" + path + ".none", "env:EMPTY", "env:UNSET", "vault:x", ""} {
		if got, err := s.Resolve(ref); !fault.Is(err, fault.Unavailable) || got != nil {
			t.Errorf("Resolve(%q) = %q, %v", ref, got, err)
		}
	}
}

// Of a change of secret both are taken until the old one ends, and one that
// cannot be had does not take the others along.
func TestResolveAll(t *testing.T) {
	ends := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	v := &intakev1.Verification{SecretRef: "env:NEW", More: []*intakev1.SecretRef{
		{Ref: "env:OLD", EndsAt: timestamppb.New(ends)}, {Ref: "env:ALWAYS"},
	}}
	all := secretMap{"env:NEW": {"new"}, "env:OLD": {"old"}, "env:ALWAYS": {"always"}}
	tests := []struct {
		name    string
		secrets secretMap
		now     time.Time
		want    string
		missing bool
	}{
		{"before the end", all, ends.Add(-1), "new old always", false},
		{"at the end", all, ends, "new always", false},
		{"the first is gone", secretMap{"env:OLD": {"old"}, "env:ALWAYS": {"always"}}, ends.Add(-1), "old always", true},
		{"the last is gone", secretMap{"env:NEW": {"new"}, "env:OLD": {"old"}}, ends.Add(-1), "new old", true},
		{"what has ended may be gone", secretMap{"env:NEW": {"new"}, "env:ALWAYS": {"always"}}, ends, "new always", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			shared := shared{tt.secrets, map[string][][]byte{}}
			if _, err := ResolveAll(shared, v, tt.now); (err != nil) != tt.missing {
				t.Error(err)
			}
			for ref, secrets := range shared.all { // what one asks for stays as it was
				if spare := secrets[:cap(secrets)]; len(bytes.Join(spare[len(secrets):], nil)) > 0 {
					t.Errorf("written behind the secrets of %s", ref)
				}
			}
			got, err := ResolveAll(tt.secrets, v, tt.now)
			if text := string(bytes.Join(got, []byte(" "))); text != tt.want || (err != nil) != tt.missing {
				t.Errorf("%q, %v", text, err)
			}
		})
	}
}

// shared hands out secrets with room behind them, as a cache may.
type shared struct {
	secretMap
	all map[string][][]byte
}

func (s shared) Resolve(ref string) ([][]byte, error) {
	found, err := s.secretMap.Resolve(ref)
	if err != nil {
		return nil, err
	}
	s.all[ref] = append(make([][]byte, 0, len(found)+4), found...)
	return s.all[ref], nil
}
