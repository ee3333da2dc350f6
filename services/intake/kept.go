package intake

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
)

const (
	// maxKeptHeaders is how many headers of a request are kept, and maxKeptHeader
	// the most bytes of one: a header that means something is short.
	maxKeptHeaders = 32
	maxKeptHeader  = 1024
	// ceHeaders begin all headers of a CloudEvent in binary mode.
	ceHeaders = "ce-"
)

// keptQuery is what of an address's query is kept: everything but credentials.
func keptQuery(src *intakev1.SourceDeclared, raw string) string {
	if raw == "" {
		return ""
	}
	v := src.GetVerification()
	var kept []string
	f := newForm()
	for pair := range strings.SplitSeq(strings.ToValidUTF8(raw, ""), "&") {
		name, _, _ := strings.Cut(pair, "=")
		name = f.unescape(name)
		if pair != "" && !secretNames[norm(name)] && (v.GetPlace() != "query" || v.GetHeader() != name) {
			kept = append(kept, pair)
		}
	}
	return strings.Join(kept, "&")
}

// keptHeaders are the headers that mean something to whoever reads the body
// again: those that the source's mapping, its preset's or its signed text names,
// and all of a CloudEvent in binary mode. Names are lower case. No credential is
// among them.
func keptHeaders(src *intakev1.SourceDeclared, h http.Header) map[string]string {
	names := signedHeaders(src.GetVerification().GetSigned())
	names = append(names, MappingHeaders(src)...)
	if h.Get("Ce-Id") != "" && h.Get("Ce-Specversion") != "" {
		var all []string
		for name := range h {
			if strings.HasPrefix(strings.ToLower(name), ceHeaders) {
				all = append(all, name)
			}
		}
		slices.Sort(all)
		names = append(names, all...)
	}
	var kept map[string]string
	for _, name := range names {
		name = strings.ToLower(name)
		value := strings.Join(h.Values(name), ", ")
		if value == "" || len(value) > maxKeptHeader || neverKept(src, name) || len(kept) == maxKeptHeaders {
			continue
		}
		if strings.HasPrefix(name, ceHeaders) { // they are percent-encoded UTF-8
			if plain, err := url.PathUnescape(value); err == nil {
				value = plain
			}
		}
		if kept == nil {
			kept = make(map[string]string)
		}
		var odd notes
		kept[name] = odd.clean(value)
	}
	return kept
}

// neverKept says whether a header is, or may hold, a credential, whoever names
// it.
func neverKept(src *intakev1.SourceDeclared, name string) bool {
	if v := src.GetVerification(); v.GetPlace() != "query" && v.GetPlace() != "body" && strings.EqualFold(v.GetHeader(), name) {
		return true
	}
	for _, word := range []string{"signature", "token", "secret", "password", "cookie", "authorization", "api-key", "apikey"} {
		if strings.Contains(name, word) {
			return true
		}
	}
	return false
}
