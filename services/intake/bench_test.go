package intake

import (
	"bytes"
	"context"
	"net/http"
	"testing"
	"time"

	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	"github.com/leadbaton/baton/services/internal/clock"
)

// benchBody is a lead of usual size.
var benchBody = []byte(`{"external_id":"x-1","email":"ana@b.example","phone":"+49 30 5550 1234","first_name":"Ana","last_name":"Bo","company":"Acme","job_title":"CTO",
"message":"We are looking for a supplier for our new plant and would like to see prices. Could somebody call us next week?","country":"Germany","employees":"51-200",
"industry":"Maschinenbau","product":"Pump","utm_source":"ad","utm_campaign":"q3 launch","consent":"on"}`)

type forgetful struct{}

func (forgetful) Keep(context.Context, *intakev1.Delivery, *intakev1.DeliveryBody) error { return nil }

type nowhere struct{ header http.Header }

func (w *nowhere) Header() http.Header         { return w.header }
func (w *nowhere) Write(b []byte) (int, error) { return len(b), nil }
func (w *nowhere) WriteHeader(int)             {}

type rereader struct{ bytes.Reader }

func (*rereader) Close() error { return nil }

func benchDoor(b *testing.B, path string, header http.Header) {
	door := NewDoor(DoorConfig{
		Sources: doorSources, Keep: forgetful{}, Secrets: secretMap{"env:HUB": {githubSecret}},
		Clock:        clock.NewVirtual(time.Unix(1, 0)),
		SubmissionID: func(_, key, _ string) string { return key },
	})
	r, err := http.NewRequestWithContext(b.Context(), http.MethodPost, path, http.NoBody)
	if err != nil {
		b.Fatal(err)
	}
	r.Header = header
	r.ContentLength = int64(len(benchBody))
	body := &rereader{}
	r.Body = body
	w := &nowhere{header: http.Header{}}
	b.SetBytes(int64(len(benchBody)))
	b.ReportAllocs()
	for b.Loop() {
		body.Reset(benchBody)
		clear(w.header)
		door.ServeHTTP(w, r)
	}
	if w.header.Get(HeaderDelivery) == "" {
		b.Fatal("not kept")
	}
}

func BenchmarkDoor(b *testing.B) {
	b.Run("unsigned", func(b *testing.B) {
		benchDoor(b, "/hooks/web", http.Header{"Content-Type": {"application/json"}})
	})
	b.Run("signed", func(b *testing.B) {
		benchDoor(b, "/hooks/hub", http.Header{"Content-Type": {"application/json"}, "X-Hub-Signature-256": {hubSignature(string(benchBody))}})
	})
}

func BenchmarkParse(b *testing.B) {
	b.SetBytes(int64(len(benchBody)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse("application/json", "", benchBody); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseAndMap(b *testing.B) {
	b.SetBytes(int64(len(benchBody)))
	b.ReportAllocs()
	for b.Loop() {
		f, err := Parse("application/json", "", benchBody)
		if err != nil {
			b.Fatal(err)
		}
		if m := Map(f.Items[0], agreed{}, webSource); m.Email == "" {
			b.Fatal("no address")
		}
	}
}
