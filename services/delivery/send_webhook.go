package delivery

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	deliveryv1 "github.com/leadbaton/baton/proto/gen/baton/delivery/v1"
	"github.com/leadbaton/baton/services/internal/outbound"
)

// Limits of a call to another system.
const (
	callTimeout = 15 * time.Second
	maxAnswer   = 64 << 10
)

// Calls are how other systems are called: those anywhere on the internet, and those of
// channels that may lie in a private network.
type Calls struct{ public, nearby *http.Client }

// NewCalls makes the clients; timeout 0 = 15 s.
func NewCalls(timeout time.Duration) *Calls {
	if timeout == 0 {
		timeout = callTimeout
	}
	return &Calls{
		public: outbound.Client(outbound.Config{Timeout: timeout}),
		nearby: outbound.Client(outbound.Config{Timeout: timeout, Allow: outbound.Nearby}),
	}
}

// client is how an address of a channel is called; the outcome says why it is not.
// Without TLS only what lies next door is called.
func (c *Calls) client(set *deliveryv1.ChannelSet, url string) (*http.Client, outcome) {
	switch {
	case url == "":
		return nil, outcome{fault: faultNoAddress, final: true}
	case set.GetPrivateNetwork():
		return c.nearby, outcome{}
	case !strings.HasPrefix(url, "https://"):
		return nil, outcome{fault: faultTLS, final: true}
	}
	return c.public, outcome{}
}

// post sends a body and says what came of it.
func (c *Calls) post(ctx context.Context, set *deliveryv1.ChannelSet, url string, header http.Header, body []byte) outcome {
	client, o := c.client(set, url)
	if o.fault != "" {
		return o
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return outcome{fault: faultNoAddress, final: true}
	}
	req.Header = header
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "Baton")
	res, err := client.Do(req)
	if err != nil {
		return outcomeOf(err)
	}
	defer res.Body.Close()
	// What is answered counts for nothing; reading it lets the connection be used again.
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, maxAnswer))
	o = outcome{status: int32(res.StatusCode)} // #nosec G115 -- three digits
	switch code := res.StatusCode; {
	case code >= 200 && code < 300:
		o.delivered = true
	case code == http.StatusGone:
		o.fault, o.final = faultGone, true
	case code >= 300 && code < 400:
		o.fault = faultRedirect
	default:
		o.fault, o.after = faultStatus, retryAfter(res.Header.Get("Retry-After"))
	}
	return o
}

// outcomeOf says why nothing was answered. The client's own text quotes the address, in
// which a secret may stand: it is not passed on.
func outcomeOf(err error) outcome {
	var timeout net.Error
	var certificate *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	switch {
	case errors.Is(err, outbound.ErrPrivate):
		return outcome{fault: faultPrivate, final: true}
	case errors.As(err, &certificate), errors.As(err, &record):
		return outcome{fault: faultTLS}
	case errors.As(err, &timeout) && timeout.Timeout():
		return outcome{fault: faultTimeout}
	}
	return outcome{fault: faultUnreachable}
}

// retryAfter is how long the other side asks to be left alone; a date is not followed.
func retryAfter(text string) time.Duration {
	n, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil || n < 0 || n > 1<<20 {
		return 0
	}
	return time.Duration(n) * time.Second
}

// Webhook speaks to systems by the Standard Webhooks rules.
type Webhook struct{ Calls *Calls }

// Send makes one attempt.
func (s Webhook) Send(ctx context.Context, c *deliveryv1.ChannelSet, secrets *deliveryv1.ChannelSecrets, m *Message) (outcome, error) {
	body, err := json.Marshal(m.Event)
	if err != nil {
		return outcome{}, err
	}
	signature, ok := signatures(secrets.GetSigning(), m.ID, m.At, body)
	if !ok {
		return outcome{fault: faultUnreadable, final: true}, nil
	}
	header := http.Header{}
	header.Set("webhook-id", m.ID)
	header.Set("webhook-timestamp", strconv.FormatInt(m.At.Unix(), 10))
	header.Set("webhook-signature", signature)
	return s.Calls.post(ctx, c, secrets.GetUrl(), header, body), nil
}

// signingPrefix stands in front of a secret, so that people and scanners recognise it.
const signingPrefix = "whsec_"

// signatures signs a message with each secret: while one is being exchanged, the other
// side finds the one that it knows.
func signatures(secrets []string, id string, at time.Time, body []byte) (string, bool) {
	out := make([]string, 0, len(secrets))
	for _, secret := range secrets {
		key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, signingPrefix))
		if err != nil || len(key) == 0 {
			return "", false
		}
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(id + "." + strconv.FormatInt(at.Unix(), 10) + "."))
		mac.Write(body)
		out = append(out, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	return strings.Join(out, " "), len(out) > 0
}
