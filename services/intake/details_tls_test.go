package intake

import (
	"context"
	"crypto/x509"
	"encoding/binary"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	"github.com/leadbaton/baton/services/internal/fault"
)

// serveTLS is a tool that says nothing of handshakes that fail.
func serveTLS(t *testing.T, answer http.HandlerFunc) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(answer)
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

// resolvesHere answers every question for an address of a name with this machine's.
func resolvesHere(t *testing.T) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	go func() {
		buf := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			if answer := hereIs(buf[:n]); answer != nil {
				_, _ = conn.WriteTo(answer, from)
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

// hereIs is the answer to one question: 127.0.0.1 for an address of the fourth
// version, and nothing for any other.
func hereIs(question []byte) []byte {
	end := 12
	for end < len(question) && question[end] != 0 {
		end += int(question[end]) + 1
	}
	if end += 5; end > len(question) {
		return nil
	}
	out := append([]byte{}, question[:end]...)
	binary.BigEndian.PutUint16(out[2:], 0x8180)
	answers := uint16(0)
	if binary.BigEndian.Uint16(question[end-4:]) == 1 {
		answers = 1
		out = append(out, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, 127, 0, 0, 1)
	}
	binary.BigEndian.PutUint16(out[6:], answers)
	binary.BigEndian.PutUint16(out[8:], 0)
	binary.BigEndian.PutUint16(out[10:], 0)
	return out
}

// TestDetailsByTLS holds what a question for details is worth on its way out: the
// certificate must be the tool's, no answer leads elsewhere, and a name that
// resolves to this machine is not asked.
func TestDetailsByTLS(t *testing.T) {
	var asked, led atomic.Int32
	private := serveTLS(t, func(w http.ResponseWriter, _ *http.Request) {
		led.Add(1)
		_, _ = w.Write([]byte(`{"email":"secret@internal.example"}`))
	})
	tool := serveTLS(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if r.TLS == nil || r.Host != r.Header.Get("X-Host") {
			t.Errorf("asked for %s, by TLS %v", r.Host, r.TLS != nil)
		}
		if strings.HasPrefix(r.URL.Path, "/away/") {
			http.Redirect(w, r, private.URL+"/leads", http.StatusTemporaryRedirect)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"email":"ana@b.example"}`))
	})
	_, port, err := net.SplitHostPort(tool.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	trusted := x509.NewCertPool()
	trusted.AddCert(tool.Certificate()) // for example.com and 127.0.0.1
	for _, tt := range []struct {
		name, host, path string
		roots            *x509.CertPool
		guarded          bool
		kind             fault.Kind // of the fault; Unknown = none
		says             string
		asked            int32
	}{
		{"the tool by its name", "example.com", "/leads/{id}", trusted, false, fault.Unknown, "", 1},
		{"the tool by its address", "127.0.0.1", "/leads/{id}", trusted, false, fault.Unknown, "", 1},
		{"a certificate of nobody known", "example.com", "/leads/{id}", x509.NewCertPool(), false, fault.Unavailable, "certificate", 0},
		{"a certificate that the system does not trust", "example.com", "/leads/{id}", nil, false, fault.Unavailable, "certificate", 0},
		{"a certificate for another name", "tool.example", "/leads/{id}", trusted, false, fault.Unavailable, "certificate", 0},
		{"sent away to a private address", "example.com", "/away/{id}", trusted, false, fault.Invalid, "307", 1},
		{"a name that resolves to this machine", "example.com", "/leads/{id}", trusted, true, fault.Invalid, "private network", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			asked.Store(0)
			d := &Details{Secrets: secretMap{}, Loopback: !tt.guarded, Roots: tt.roots, resolver: resolvesHere(t)}
			host := tt.host + ":" + port
			src := &intakev1.SourceDeclared{Details: &intakev1.DetailsRead{Url: "https://" + host + tt.path, Headers: map[string]string{"X-Host": host}}}
			body, _, err := d.Read(t.Context(), src, firstItem(t, `{"id":"id-7"}`))
			if got := asked.Load(); got != tt.asked {
				t.Errorf("asked %d times, want %d", got, tt.asked)
			}
			if tt.kind == fault.Unknown {
				if err != nil || string(body) != `{"email":"ana@b.example"}` {
					t.Fatalf("%q, %v", body, err)
				}
				return
			}
			if !fault.Is(err, tt.kind) || body != nil {
				t.Fatalf("%v, %d bytes", err, len(body))
			}
			if !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "id-7") {
				t.Errorf("it says %v", err)
			}
		})
	}
	if led.Load() != 0 {
		t.Error("the private address was asked")
	}
}
