package intake

import (
	"bytes"
	"strconv"
	"strings"
	"time"

	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
)

// credential reads what stands in a verification's place: one value exactly.
// What stands there twice was put there by two.
func credential(v *intakev1.Verification, r Request) (value, refused string) {
	var values []string
	switch v.GetPlace() {
	case "", "header":
		values = r.Header.Values(v.GetHeader())
	case "query":
		values = queryValues(r.Query, v.GetHeader())
	case "body":
		values = bodyValues(r.Header.Get("Content-Type"), r.Body, v.GetHeader())
	default:
		return "", refusedDeclared
	}
	if len(values) == 0 {
		return "", refusedMissing
	}
	value = strings.TrimSpace(values[0])
	switch {
	case len(values) > 1 || len(value) > maxCredential:
		return "", refusedMalformed
	case value == "":
		return "", refusedMissing
	}
	return value, ""
}

func queryValues(query, name string) (values []string) {
	f := newForm()
	for pair := range strings.SplitSeq(query, "&") {
		if key, value, _ := strings.Cut(pair, "="); pair != "" && f.unescape(key) == name {
			values = append(values, f.unescape(value))
		}
	}
	return values
}

// bodyValues reads one member of a body, within the limits of any body, and
// nothing else of it: this is the one credential for which a body is read
// before it is verified.
func bodyValues(contentType string, raw []byte, path string) []string {
	body := bytes.TrimLeft(bytes.TrimPrefix(raw, []byte("\xef\xbb\xbf")), " \t\r\n")
	var root *node
	if len(body) > 0 && plainlyJSON(body) {
		var s scanner
		var err error
		if root, err = s.scan(body); err != nil {
			return nil
		}
	} else {
		media, params := mediaType(contentType)
		f := newForm()
		if media != typeURLEncoded || f.addPairs(string(body), params["charset"], true) != nil {
			return nil
		}
		root = f.root
	}
	// A name with dots of its own comes before a path.
	at := root.get(path)
	if at == nil {
		at = root
		for name := range strings.SplitSeq(path, ".") {
			if at = at.get(name); at == nil {
				return nil
			}
		}
	}
	if at.kind != kindText && at.kind != kindNumber {
		return nil
	}
	return []string{at.text}
}

// elements are the values of one name in a list like "t=1,v1=ab".
func elements(list, name string) (values []string) {
	for element := range strings.SplitSeq(list, ",") {
		if key, value, ok := strings.Cut(strings.TrimSpace(element), "="); ok && key == name {
			values = append(values, value)
		}
	}
	return values
}

// elementPrefix marks a timestamp that is an element of the credential's list.
const elementPrefix = "element:"

// timestamp reads a request's timestamp as spelled. It answers false where one
// is declared and is missing, twice there, no number or too far from now.
func timestamp(v *intakev1.Verification, credential string, r Request) (string, bool) {
	place := v.GetTimestamp()
	if place == "" {
		return "", true
	}
	values := r.Header.Values(place)
	if name, ok := strings.CutPrefix(place, elementPrefix); ok {
		values = elements(credential, name)
	}
	if len(values) != 1 {
		return "", false
	}
	stamp := strings.TrimSpace(values[0])
	n, err := strconv.ParseUint(stamp, 10, 63)
	if err != nil {
		return "", false
	}
	at := time.Unix(int64(n), 0) //nolint:gosec // it has 63 bits
	if v.GetTimestampUnit() == "ms" {
		at = time.UnixMilli(int64(n)) //nolint:gosec // it has 63 bits
	}
	tolerance := defaultTolerance
	if s := v.GetToleranceSeconds(); s > 0 {
		tolerance = time.Duration(s) * time.Second
	}
	return stamp, !at.Before(r.Now.Add(-tolerance)) && !at.After(r.Now.Add(tolerance))
}
