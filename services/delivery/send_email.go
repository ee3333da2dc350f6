package delivery

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"html/template"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"net/smtp"
	"net/textproto"
	"net/url"
	"strings"
	"time"

	deliveryv1 "github.com/leadbaton/baton/proto/gen/baton/delivery/v1"
	"github.com/leadbaton/baton/services/internal/fault"
)

// Mail hands mails to one mail server.
type Mail struct {
	host, port string
	user       *url.Userinfo
	from       *mail.Address
	// implicit speaks TLS from the first byte; plain not at all.
	implicit, plain bool
	// Roots are the authorities whose certificates are trusted; nil = the system's.
	Roots *x509.CertPool
	// Timeout of one mail; 0 = 30 s.
	Timeout time.Duration
}

// NewMail reads where the mail server is: smtp://user:password@host:port?from=ADDRESS, or
// smtps:// for TLS from the first byte. By smtp:// the server must offer STARTTLS, unless
// it is this very machine. Faults repeat nothing of the address: a password stands in it.
func NewMail(address string) (*Mail, error) {
	wrong := func(why string) (*Mail, error) {
		return nil, fault.New(fault.Invalid, "the mail server: %s; write smtp://user:password@host:port?from=leads@example.com (BATON_SMTP_URL)", why)
	}
	at, err := url.Parse(address)
	if err != nil || at.Hostname() == "" {
		return wrong("the address cannot be read")
	}
	m := &Mail{host: at.Hostname(), port: at.Port(), user: at.User}
	switch at.Scheme {
	case "smtp":
		m.port = cmp.Or(m.port, "587")
		m.plain = loopback(m.host)
	case "smtps":
		m.port, m.implicit = cmp.Or(m.port, "465"), true
	default:
		return wrong("it begins with neither smtp:// nor smtps://")
	}
	if m.from, err = mail.ParseAddress(at.Query().Get("from")); err != nil {
		return wrong("from= names no address that mails come from")
	}
	return m, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

// Send makes one attempt. That the server took a mail does not mean that it arrived.
func (s *Mail) Send(ctx context.Context, _ *deliveryv1.ChannelSet, _ *deliveryv1.ChannelSecrets, m *Message) (outcome, error) {
	to, err := mail.ParseAddress(m.To.Email)
	if err != nil {
		return outcome{fault: faultNoAddress, final: true}, nil //nolint:nilerr // that is the outcome
	}
	to.Name = m.To.Name
	text, err := s.write(m, to)
	if err != nil {
		return outcome{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(s.Timeout, 30*time.Second))
	defer cancel()
	return s.hand(ctx, to.Address, text), nil
}

// hand gives a mail to the server.
func (s *Mail) hand(ctx context.Context, to string, text []byte) outcome {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort(s.host, s.port))
	if err != nil {
		return mailOutcome(err)
	}
	defer func() { _ = conn.Close() }()
	if ends, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(ends)
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	how := &tls.Config{ServerName: s.host, RootCAs: s.Roots, MinVersion: tls.VersionTLS12}
	if s.implicit {
		conn = tls.Client(conn, how)
	}
	c, err := smtp.NewClient(conn, s.host)
	if err != nil {
		return mailOutcome(err)
	}
	defer func() { _ = c.Close() }()
	if !s.implicit && !s.plain {
		if ok, _ := c.Extension("STARTTLS"); !ok {
			return outcome{fault: faultTLS}
		}
		if err := c.StartTLS(how); err != nil {
			return mailOutcome(err)
		}
	}
	if s.user != nil {
		password, _ := s.user.Password()
		if err := c.Auth(smtp.PlainAuth("", s.user.Username(), password, s.host)); err != nil {
			return mailOutcome(err)
		}
	}
	if err := c.Mail(s.from.Address); err != nil {
		return mailOutcome(err)
	}
	if err := c.Rcpt(to); err != nil {
		o := mailOutcome(err)
		o.final = o.status >= 500 // nobody is there, and nobody will be
		return o
	}
	w, err := c.Data()
	if err == nil {
		if _, err = w.Write(text); err == nil {
			err = w.Close()
		}
	}
	if err != nil {
		return mailOutcome(err)
	}
	_ = c.Quit() // it was taken; how the server says good-bye changes nothing
	return outcome{status: 250}
}

// mailOutcome says why a server did not take a mail. Its own words may hold the address
// and are not passed on.
func mailOutcome(err error) outcome {
	var said *textproto.Error
	if errors.As(err, &said) {
		return outcome{fault: faultRefused, status: int32(said.Code)} // #nosec G115 -- three digits
	}
	return outcomeOf(err)
}

// write makes the mail: as text and as simple HTML.
func (s *Mail) write(m *Message, to *mail.Address) ([]byte, error) {
	var out bytes.Buffer
	parts := multipart.NewWriter(&out)
	// The same notice is the same mail at every attempt, so that whoever gets it twice is
	// shown it once.
	if err := parts.SetBoundary("baton-" + strings.ReplaceAll(m.ID[max(0, len(m.ID)-40):], ".", "-")); err != nil {
		return nil, err
	}
	_, domain, _ := strings.Cut(s.from.Address, "@")
	for _, h := range [][2]string{
		{"From", s.from.String()},
		{"To", to.String()},
		{"Subject", mime.QEncoding.Encode("utf-8", oneLine(m.Subject))},
		{"Date", m.At.Format(time.RFC1123Z)},
		{"Message-ID", "<" + m.ID + "@" + domain + ">"},
		// No answer from a holiday comes back to a machine.
		{"Auto-Submitted", "auto-generated"},
		{"X-Auto-Response-Suppress", "All"},
		{"MIME-Version", "1.0"},
		{"Content-Type", `multipart/alternative; boundary="` + parts.Boundary() + `"`},
	} {
		fmt.Fprintf(&out, "%s: %s\r\n", h[0], h[1])
	}
	out.WriteString("\r\n")
	var page bytes.Buffer
	if err := mailPage.Execute(&page, m); err != nil {
		return nil, err
	}
	for _, part := range []struct {
		kind string
		body []byte
	}{{"text/plain", []byte(mailText(m))}, {"text/html", page.Bytes()}} {
		w, err := parts.CreatePart(textproto.MIMEHeader{"Content-Type": {part.kind + "; charset=utf-8"}, "Content-Transfer-Encoding": {"quoted-printable"}})
		if err != nil {
			return nil, err
		}
		q := quotedprintable.NewWriter(w)
		if _, err := io.Copy(q, bytes.NewReader(part.body)); err != nil {
			return nil, err
		}
		if err := q.Close(); err != nil {
			return nil, err
		}
	}
	err := parts.Close()
	return out.Bytes(), err
}

// mailText is the mail without marks.
func mailText(m *Message) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n%s\n\n", m.Subject, m.Intro)
	for _, f := range m.Facts {
		fmt.Fprintf(&b, "%s: %s\n", f.Name, f.Value)
	}
	if m.Answer != "" {
		fmt.Fprintf(&b, "\nAccept or decline:\n%s\nThis address is for you alone: whoever has it can answer for you.\n", m.Answer)
	}
	if m.Page != "" {
		fmt.Fprintf(&b, "\nThe lead, for who is signed in:\n%s\n", m.Page)
	}
	return b.String()
}

var mailPage = template.Must(template.New("mail").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{{.Subject}}</title></head>
<body style="font-family:sans-serif;max-width:40em">
<h1 style="font-size:1.2em">{{.Subject}}</h1>
<p>{{.Intro}}</p>
<table>{{range .Facts}}
<tr><th align="left" style="padding-right:1em">{{.Name}}</th><td>{{.Value}}</td></tr>{{end}}
</table>{{if .Answer}}
<p><a href="{{.Answer}}">Accept or decline</a></p>
<p>This address is for you alone: whoever has it can answer for you.</p>{{end}}{{if .Page}}
<p><a href="{{.Page}}">Open the lead</a>, for who is signed in.</p>{{end}}
</body></html>
`))
