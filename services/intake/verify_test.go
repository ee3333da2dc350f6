package intake

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
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
			if got := Verify(tt.v, secrets, header, []byte(tt.body)); got != tt.want {
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
	s := &Secrets{Env: func(name string) (string, bool) {
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
	if diff := cmp.Diff([]string{"new one", "It's a Secret to Everybody"}, resolve("file:"+path)); diff != "" {
		t.Error("a changed file:", diff)
	}
	if diff := cmp.Diff([]string{"one", "two"}, resolve("env:SET")); diff != "" {
		t.Error(diff)
	}
	write("\n \n")
	for _, ref := range []string{"file:" + path, "file:" + dir, "file:" + path + ".none", "env:EMPTY", "env:UNSET", "vault:x", ""} {
		if got, err := s.Resolve(ref); !fault.Is(err, fault.Unavailable) || got != nil {
			t.Errorf("Resolve(%q) = %q, %v", ref, got, err)
		}
	}
}
