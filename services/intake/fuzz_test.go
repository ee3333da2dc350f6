package intake

import (
	"bytes"
	"net/http"
	"testing"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	"github.com/leadbaton/baton/services/internal/fault"
)

func seeds(f *testing.F) {
	for _, s := range [][3]string{
		{"application/json", "", `{"email":"a@b.example","fields":[{"name":"phone","value":"+493055501234"}],"n":1e999}`},
		{"application/json", "utm_source=x", `[{"id":1},{"properties":{"email":{"value":"a@b.c","versions":[{"value":"x"}]}}}]`},
		{"application/json", "", `{"answers":[{"type":"email","email":"a@b.c","field":{"ref":"r"}}],"definition":{"fields":[{"id":"r","title":"T"}]}}`},
		{"application/json", "", `{"entry":[{"changes":[{"value":{"leadgen_id":1}}]}],"a":"\ud800\u0000"}`},
		{typeURLEncoded, "a=b", "a[b][c]=1&a[]=2&a=3&x%5B%5D=%zz&data.json=%7B%22a%22%3A1%7D"},
		{"text/plain; charset=iso-8859-1", "", "Hello, \xe4"},
		{"multipart/form-data; boundary=b", "", "--b\r\nContent-Disposition: form-data; name=\"a\"; filename=\"x\"\r\n\r\nv\r\n--b--\r\n"},
	} {
		f.Add(s[0], s[1], []byte(s[2]))
	}
}

func FuzzParse(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, contentType, query string, raw []byte) {
		got, err := Parse(contentType, query, raw)
		if err != nil {
			if !fault.Is(err, fault.Invalid) {
				t.Fatalf("%v is not Invalid", err)
			}
			return
		}
		if len(got.Items) > MaxItems {
			t.Fatalf("%d items", len(got.Items))
		}
		for _, item := range got.Items {
			if len(item.Leaves) > MaxLeaves {
				t.Fatalf("%d leaves", len(item.Leaves))
			}
			for _, l := range item.Leaves {
				for _, s := range []string{l.Path, l.Key, l.Label, l.Type, l.Value} {
					if !utf8.ValidString(s) || bytes.IndexByte([]byte(s), 0) >= 0 {
						t.Fatalf("%q cannot be stored", s)
					}
				}
			}
		}
		if _, err := ParseSigned(contentType, query, raw); err != nil {
			t.Fatalf("a signature made it unreadable: %v", err)
		}
	})
}

func FuzzMap(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, contentType, query string, raw []byte) {
		got, err := Parse(contentType, query, raw)
		if err != nil {
			return
		}
		for _, item := range got.Items {
			a, b := Map(item, agreed{}, webSource), Map(item, agreed{}, webSource)
			if !proto.Equal(a.Submission, b.Submission) || a.Email != b.Email || a.Phone != b.Phone || a.Spam != b.Spam {
				t.Fatal("the same item maps differently")
			}
			if _, err := proto.Marshal(a.Submission); err != nil {
				t.Fatal(err)
			}
			features := a.Submission.GetFeatures()
			if (a.Email != "") != features.GetHasEmail() || (a.Phone != "") != features.GetHasPhone() {
				t.Fatalf("features disagree with the addresses: %v", features)
			}
			if a.NeedsMapping && (a.Email != "" || a.Phone != "") {
				t.Fatal("somebody who can be reached needs mapping")
			}
			if n := features.GetEmployees(); n < 0 || n > maxEmployees {
				t.Fatalf("%d employees", n)
			}
			if c := features.GetCountry(); c != "" && (len(c) != 2 || c[0] < 'A' || c[1] > 'Z') {
				t.Fatalf("country %q", c)
			}
			if len(a.Submission.GetExternalId()) > MaxKey {
				t.Fatal("the external id is too long")
			}
			at := features.GetAttribution()
			for _, s := range []string{at.GetSource(), at.GetMedium(), at.GetCampaign(), at.GetTerm(), at.GetContent()} {
				if utf8.RuneCountInString(s) > 64 || bytes.IndexByte([]byte(s), '@') >= 0 {
					t.Fatalf("attribution %q", s)
				}
			}
			if a.Email != "" {
				if again, ok := NormaliseEmail(a.Email); !ok || again != a.Email {
					t.Fatalf("%q normalises to %q", a.Email, again)
				}
			}
		}
	})
}

func FuzzVerify(f *testing.F) {
	const secret = "s3cret"
	f.Add("X-Sign", "sha256=", "hex", hubSignature("body"), []byte("body"))
	f.Add("X-Sign", "", "base64", "AAAA", []byte(""))
	f.Fuzz(func(t *testing.T, name, prefix, encoding, value string, raw []byte) {
		v := &intakev1.Verification{Algorithm: "hmac-sha256", Header: name, Prefix: prefix, Encoding: encoding}
		header := http.Header{}
		header.Set(name, value)
		if Verify(v, nil, header, raw) {
			t.Fatal("valid without a secret")
		}
		if !Verify(v, [][]byte{[]byte(secret)}, header, raw) {
			return
		}
		if sum, ok := signature(v, header); !ok || !bytes.Equal(sum[:], sign(secret, string(raw))) {
			t.Fatal("a signature that is not the body's was taken")
		}
		if Verify(v, [][]byte{[]byte(secret)}, header, append(raw, 'x')) {
			t.Fatal("one signature fits two bodies")
		}
	})
}
