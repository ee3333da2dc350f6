package intake

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/outbound"
)

// Limits of one question for details.
const (
	detailsTimeout = 10 * time.Second
	maxDetails     = 1 << 20
	// maxDetailsPart is the longest value of a delivery that goes into an address.
	maxDetailsPart = 256
	// urnPart marks a part of which only what stands behind the last colon goes
	// into the address.
	urnPart = "urn:"
)

// Details reads what a thin delivery lacks where its source keeps it. It asks
// the address that the source declares and no other: by https, without
// redirects and without a proxy, and never within a private network, whatever a
// name resolves to and whatever a delivery says.
type Details struct {
	// Secrets resolves the reference of the token.
	Secrets SecretLookup
	// Loopback lets it ask this machine, without TLS as well: for tests alone.
	Loopback bool
	// Roots are the authorities whose certificates are trusted; nil = the system's.
	Roots *x509.CertPool

	resolver *net.Resolver // nil = the system's
	once     sync.Once
	client   *http.Client
}

// Read answers the body that the source has for one submission of a thin
// delivery, and its content type. Faults repeat neither the address nor anything
// that was read: Unavailable passes by itself, Denied wants a new token, NotFound
// is not there (yet), Invalid wants the declaration corrected.
func (d *Details) Read(ctx context.Context, src *intakev1.SourceDeclared, item Item) (body []byte, contentType string, err error) {
	how := src.GetDetails()
	address, err := detailsAddress(how.GetUrl(), item)
	if err != nil {
		return nil, "", err
	}
	if address.Scheme != "https" && !(d.Loopback && address.Scheme == "http") {
		return nil, "", detailsFault(fault.Invalid, "the address is not https: correct it")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address.String(), http.NoBody)
	if err != nil {
		return nil, "", detailsFault(fault.Invalid, "the address cannot be asked: correct it")
	}
	req.Header.Set("Accept", "application/json")
	for name, value := range how.GetHeaders() {
		req.Header.Set(name, value)
	}
	if ref := how.GetTokenRef(); ref != "" {
		tokens, err := d.Secrets.Resolve(ref)
		if err != nil {
			return nil, "", err
		}
		req.Header.Set("Authorization", "Bearer "+string(tokens[0]))
	}
	d.once.Do(d.open)
	res, err := d.client.Do(req)
	if err != nil {
		// The client's own text quotes the address, and in it stands an id.
		if errors.Is(err, outbound.ErrPrivate) {
			return nil, "", detailsFault(fault.Invalid, "the address belongs to a private network, which is never asked: correct it")
		}
		if wrong := (*tls.CertificateVerificationError)(nil); errors.As(err, &wrong) {
			return nil, "", detailsFault(fault.Unavailable, "the certificate of the source is not one to trust: correct the address, or wait until the source renews it")
		}
		return nil, "", detailsFault(fault.Unavailable, "the source cannot be reached: it is tried again")
	}
	defer res.Body.Close()
	if err := detailsStatus(res.StatusCode); err != nil {
		return nil, "", err
	}
	if body, err = io.ReadAll(io.LimitReader(res.Body, maxDetails+1)); err != nil {
		return nil, "", detailsFault(fault.Unavailable, "the answer ended early: it is tried again")
	}
	if len(body) > maxDetails {
		return nil, "", detailsFault(fault.Invalid, "the answer is longer than 1 MiB: name an address that answers less")
	}
	contentType = res.Header.Get("Content-Type")
	if len(contentType) > maxContentType || !printable(contentType) {
		contentType = ""
	}
	if how.GetItems() != "" {
		if body, err = memberOf(body, how.GetItems()); err != nil {
			return nil, "", err
		}
		contentType = "application/json"
	}
	return body, contentType, nil
}

func detailsFault(kind fault.Kind, text string) error {
	return fault.New(kind, "details: %s", text)
}

func detailsStatus(status int) error {
	said := "the source answered " + strconv.Itoa(status) + ": "
	switch {
	case status == http.StatusOK:
		return nil
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return detailsFault(fault.Denied, said+"renew the token, or give it the right to read leads")
	case status == http.StatusNotFound, status == http.StatusGone:
		return detailsFault(fault.NotFound, said+"it has nothing under this id")
	case status == http.StatusTooManyRequests, status == http.StatusRequestTimeout, status >= 500:
		return detailsFault(fault.Unavailable, said+"it is tried again")
	default: // a redirect as well: it is not followed
		return detailsFault(fault.Invalid, said+"correct the address")
	}
}

// open makes the client.
func (d *Details) open() {
	d.client = outbound.Client(outbound.Config{
		Timeout: detailsTimeout, Roots: d.Roots, Resolver: d.resolver,
		Allow: func(at netip.Addr) bool { return d.Loopback && at.IsLoopback() },
	})
}

// detailsAddress puts values of a delivery into an address. They go into its path
// and its query, never into what says who is asked.
func detailsAddress(template string, item Item) (*url.URL, error) {
	wrong := func() (*url.URL, error) {
		return nil, detailsFault(fault.Invalid, "the address is not like https://host/path/{member}: correct it")
	}
	scheme, rest, ok := strings.Cut(template, "://")
	host, rest, slash := strings.Cut(rest, "/")
	if !ok || !slash || host == "" {
		return wrong()
	}
	var b strings.Builder
	b.WriteString(scheme + "://" + host + "/")
	for query := false; rest != ""; {
		before, tail, found := strings.Cut(rest, "{")
		b.WriteString(before)
		query = query || strings.Contains(before, "?")
		if !found {
			break
		}
		path, after, closed := strings.Cut(tail, "}")
		if !closed {
			return wrong()
		}
		value, ok := detailsPart(item, path)
		if !ok {
			return nil, detailsFault(fault.Invalid, "the delivery holds nothing usable at "+strconv.Quote(path)+": correct the address")
		}
		if query {
			b.WriteString(url.QueryEscape(value))
		} else {
			b.WriteString(url.PathEscape(value))
		}
		rest = after
	}
	at, err := url.Parse(b.String())
	if err != nil || at.Host != host { // a brace, a user or a query in front of the path
		return wrong()
	}
	return at, nil
}

// detailsPart is the one value that a delivery has at a path, or at the end of
// one.
func detailsPart(item Item, path string) (value string, ok bool) {
	path, urn := strings.CutPrefix(path, urnPart)
	for i := range item.Leaves {
		l := &item.Leaves[i]
		if l.Path != path && !strings.HasSuffix(l.Path, "."+path) {
			continue
		}
		if ok && l.Value != value {
			return "", false // which one is meant is not guessed
		}
		value, ok = l.Value, true
	}
	if urn {
		value = value[strings.LastIndexByte(value, ':')+1:]
	}
	return value, ok && value != "" && value != "." && len(value) <= maxDetailsPart && printable(value) && !strings.ContainsAny(value, `/\`) && !strings.Contains(value, "..")
}

// memberOf is the JSON that stands at a path of a JSON answer.
func memberOf(body []byte, path string) ([]byte, error) {
	at := json.RawMessage(body)
	for name := range strings.SplitSeq(path, ".") {
		name, place, listed := strings.Cut(name, "[")
		if name != "" {
			var members map[string]json.RawMessage
			if json.Unmarshal(at, &members) != nil || members[name] == nil {
				return nil, detailsFault(fault.NotFound, "the answer has nothing where its submission should be")
			}
			at = members[name]
		}
		if !listed {
			continue
		}
		var list []json.RawMessage
		n, err := strconv.Atoi(strings.TrimSuffix(place, "]"))
		if err != nil || json.Unmarshal(at, &list) != nil || n < 0 || n >= len(list) {
			return nil, detailsFault(fault.NotFound, "the answer has nothing where its submission should be")
		}
		at = list[n]
	}
	return at, nil
}
