package intake

import (
	"bytes"
	"encoding/base64"
	"net/http"
	"testing"

	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
)

// Whatever is declared and whatever comes: nothing is valid without a secret,
// nothing breaks, and one digest fits one text alone.
func FuzzVerify(f *testing.F) {
	const secret = "c2VjcmV0"
	f.Add("hmac-sha256", "header", "sha256=", "hex", "", "", "", false, hubSignature("body"), []byte("body"))
	f.Add("hmac-sha256", "", "", "base64", "v1", "{timestamp}.{body}", "element:t", false, "t=1,v1=AAAA,v1=BB", []byte("body"))
	f.Add("hmac-sha1", "query", "v1,", "base64", "", "{body}", "", true, "v1,AAAA v1,BBBB", []byte("{}"))
	f.Add("sha256", "header", "", "hex", "", "{method}{url:decoded}{header:X}{body}", "", false, "00", []byte{})
	f.Add("ed25519", "header", "v1a,", "base64", "", "", "", true, "v1a,", []byte("x"))
	f.Add("jws-hs256", "header", "", "", "", `{"iss":"x"}`, "", false, "eyJhbGciOiJIUzI1NiJ9.e30.AAAA", []byte("x"))
	f.Add("equal", "body", "", "", "", "", "", false, "google_key", []byte(`{"google_key":"c2VjcmV0"}`))
	f.Add("basic", "header", "", "", "", "", "", false, "Basic YTpi", []byte(`a[b]=c&%zz`))
	f.Fuzz(func(t *testing.T, algorithm, place, prefix, encoding, element, signed, stamp string, several bool, value string, raw []byte) {
		v := &intakev1.Verification{
			Algorithm: algorithm, Place: place, Header: "X-Sign", Prefix: prefix, Encoding: encoding,
			Element: element, Signed: signed, Timestamp: stamp, Several: several,
		}
		r := Request{Method: "POST", URL: "https://b.example/hooks/x", Header: http.Header{}, Query: value, Body: raw, Now: signedAt}
		r.Header.Set("X-Sign", value)
		r.Header.Set("X", value)
		if place == "body" {
			v.Header = value
			r.Header.Set("Content-Type", typeURLEncoded)
		}
		if Verify(v, nil, r) || Verify(v, [][]byte{{}}, r) {
			t.Fatal("valid without a secret")
		}
		if !Verify(v, [][]byte{[]byte(secret)}, r) {
			return
		}
		// What was taken is the digest of this very text, or the secret itself.
		if digestSizeKnown(algorithm) {
			text, refused := signedText(signed, stampOf(v, r), r)
			if refused != "" {
				t.Fatal("valid without a text")
			}
			sum := keyedSum(algorithm, []byte(secret), text)
			digests, _, _ := readDigests(v, r)
			found := false
			for _, digest := range digests {
				found = found || bytes.Equal(digest, sum)
			}
			if !found {
				t.Fatal("a digest that is not the text's was taken")
			}
		}
		if place != "body" && algorithm != "equal" && algorithm != "basic" {
			r.Body = append(bytes.Clone(raw), 'x')
			if Verify(v, [][]byte{[]byte(secret)}, r) {
				t.Fatal("one signature fits two bodies")
			}
		}
	})
}

func digestSizeKnown(algorithm string) bool {
	return algorithm == "hmac-sha256" || algorithm == "hmac-sha1" || algorithm == "sha256"
}

func stampOf(v *intakev1.Verification, r Request) string {
	value, _ := credential(v, r)
	stamp, _ := timestamp(v, value, r)
	return stamp
}

// A template gives every part as it stands, or nothing.
func FuzzSignedText(f *testing.F) {
	for _, s := range []string{"", "{body}", "{timestamp}.{body}", "v0:{timestamp}:{body}", "{header:X-Id}{url}{body}", "{{body}}", "{", "}", "{header:}{body}"} {
		f.Add(s, []byte("b"))
	}
	f.Fuzz(func(t *testing.T, template string, body []byte) {
		r := Request{Method: "POST", URL: "https://b.example/", Header: http.Header{"X-Id": {"7"}}, Body: body}
		parts, refused := signedText(template, "1", r)
		if (refused == "") != (parts != nil) {
			t.Fatalf("%d parts, refused %q", len(parts), refused)
		}
		if refused != "" {
			return
		}
		r.Body = append(bytes.Clone(body), 'x')
		changed, _ := signedText(template, "1", r)
		if bytes.Equal(bytes.Join(parts, nil), bytes.Join(changed, nil)) {
			t.Fatal("the text does not depend on the body")
		}
	})
}

// What a credential is written in: lists, both alphabets, digits.
func FuzzCredential(f *testing.F) {
	for _, s := range []string{"t=1,v1=ab", "t=1, v1=ab,", "v1,AAAA v1a,BBBB", "====", "-_-_", "+/+/", "eyJ.e30.x", "Basic YTpi", "a=b=c", ",,,"} {
		f.Add(s, "v1")
	}
	f.Fuzz(func(t *testing.T, text, name string) {
		for _, value := range elements(text, name) {
			if len(value) >= len(text) {
				t.Fatalf("element %q of %q", value, text)
			}
		}
		if b, err := decodeBase64(text); err == nil {
			if again, err := decodeBase64(base64.StdEncoding.EncodeToString(b)); err != nil || !bytes.Equal(b, again) {
				t.Fatalf("%q is not itself", text)
			}
		}
		for _, encoding := range []string{"hex", "base64"} {
			v := &intakev1.Verification{Algorithm: "hmac-sha256", Encoding: encoding, Prefix: name}
			if b, ok := digestOf(v, text); ok && len(b) != 32 {
				t.Fatalf("a digest of %d bytes", len(b))
			}
		}
		queryValues(text, name)
		bodyValues(typeURLEncoded, []byte(text), name)
	})
}
