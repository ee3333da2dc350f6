package main

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"

	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	"github.com/leadbaton/baton/services/delivery"
	"github.com/leadbaton/baton/services/intake"
	"github.com/leadbaton/baton/services/internal/clock"
	"github.com/leadbaton/baton/services/internal/telemetry"
	"github.com/leadbaton/baton/services/routing"
)

// Config says which services run in this process, where their state lies and
// where they listen. Flags come before the environment, the environment before
// the defaults; the zero value, after complete, runs the newcomer's process.
type Config struct {
	// Services in this process, by name; empty = all.
	Services []string

	// Data is the directory of everything that this process keeps.
	Data string `env:"BATON_DATA"`
	// Keys holds the key store, the signing keys and, where it is shared, the
	// admin token; empty = Data/keys.
	Keys string `env:"BATON_KEYS"`
	// Checkpoints is where signed tree heads are kept away from Data.
	Checkpoints string `env:"BATON_CHECKPOINTS"`

	// NATSURL of a server; empty = embedded.
	NATSURL string `env:"BATON_NATS_URL"`
	// NATSListen lets other processes reach the embedded server; empty = none.
	NATSListen string `env:"BATON_NATS_LISTEN"`
	// Replicas of each stream on a cluster.
	Replicas int `env:"BATON_NATS_REPLICAS"`
	// SQLURL of the read model; empty = a file in Data.
	SQLURL string `env:"BATON_SQL_URL"`

	// RedisURL of the Redis in which routing keeps its state for whoever takes over
	// and for other systems, and doors share their limits; empty = a file in Data,
	// and each door its own.
	RedisURL string `env:"BATON_REDIS_URL"`

	// HTTP is the public door, Console the pages, GRPC the services, Metrics the
	// operator's port. "-" = none.
	HTTP    string `env:"BATON_HTTP"`
	Console string `env:"BATON_CONSOLE"`
	GRPC    string `env:"BATON_GRPC"`
	Metrics string `env:"BATON_METRICS"`
	// PublicURL is the address of the public door as the internet sees it, such as
	// https://leads.example.com; needed where a sender signs the address.
	PublicURL string `env:"BATON_PUBLIC_URL"`
	// ConsoleURL is the address of the pages as members reach them, for messages; empty =
	// where this process shows them.
	ConsoleURL string `env:"BATON_CONSOLE_URL"`
	// SMTPURL is the mail server that mails to members go through, such as
	// smtp://user:password@mail.example.com:587?from=leads@example.com; empty = no mails.
	// It is no flag: whoever lists the processes would read the password.
	SMTPURL string `env:"BATON_SMTP_URL"`
	// Peers are where services run that this process asks and does not run
	// itself: name=host:port.
	Peers []string `env:"BATON_PEERS"`

	// Sources that must sign: name,header=H,prefix=P,encoding=hex|base64,secret=file:PATH|env:NAME
	Sources []string `env:"BATON_SOURCES" envSeparator:";"`

	// Limits are how many deliveries a minute a source may send: name=N, and *=N for
	// each that is not named; empty = any number.
	Limits []string `env:"BATON_LIMITS"`

	// DisposableDomains and FreeDomains are files of further domains of throw-away
	// addresses and of free-mail providers; empty = the best known alone.
	DisposableDomains string `env:"BATON_DISPOSABLE_DOMAINS"`
	FreeDomains       string `env:"BATON_FREE_DOMAINS"`

	// Endpoint takes traces and metrics by OTLP; empty = off.
	Endpoint string `env:"OTEL_EXPORTER_OTLP_ENDPOINT"`
	// LogFormat is text or json; empty = by where it goes.
	LogFormat string `env:"BATON_LOG_FORMAT"`
	// FreeFloor is the free space in MiB below which nothing new is taken.
	FreeFloor uint64 `env:"BATON_FREE_FLOOR_MIB"`
	// Retention is for how many days kept bodies can be read again.
	Retention int `env:"BATON_INTAKE_RETENTION_DAYS"`

	// What follows is set by the program and by tests alone.
	clock     clock.Clock
	keyDays   int
	token     string
	telemetry telemetry.Config
	sources   []*intakev1.SourceDeclared
	details   intake.DetailsReader
	// born are the services that the log knows of; nil = all.
	born []string
	// patience is how long another system has to answer; 0 = 15 s, a customer system a
	// minute.
	patience time.Duration
	// line is how the embedded log is reached, wall what waits for it are measured
	// by.
	line interface {
		Dial(network, address string) (net.Conn, error)
	}
	wall func() time.Time
}

// services in the order in which they start; they stop backwards.
var allServices = []string{"feedback", "audit", "agreement", "routing", "qualification", "delivery", "intake", "console"}

// fromEnvironment reads what the environment says.
func fromEnvironment() (Config, error) {
	var cfg Config
	if err := env.Parse(&cfg); err != nil {
		return cfg, fmt.Errorf("the environment: %w", err)
	}
	return cfg, nil
}

// complete fills in the defaults and reports every fault at once.
func (c *Config) complete() error {
	var faults []error
	set := func(field *string, otherwise string) {
		if *field == "" {
			*field = otherwise
		}
	}
	set(&c.Data, "baton-data")
	if c.token == "" {
		c.token = c.Keys
	}
	set(&c.Keys, filepath.Join(c.Data, "keys"))
	set(&c.token, c.Data)
	set(&c.Checkpoints, filepath.Clean(c.Data)+".checkpoints")
	set(&c.HTTP, "127.0.0.1:8080")
	set(&c.Console, "127.0.0.1:8081")
	set(&c.GRPC, "127.0.0.1:9090")
	set(&c.Metrics, "127.0.0.1:9091")
	if c.Retention == 0 {
		c.Retention = 14
	}
	if c.Retention < 1 || c.Retention > 30 {
		faults = append(faults, fmt.Errorf("kept bodies may be readable for 1 to 30 days, not %d", c.Retention))
	}
	if c.clock == nil {
		c.clock = clock.Real{}
	}
	if c.keyDays == 0 {
		c.keyDays = 2
	}
	if at, err := url.Parse(c.PublicURL); c.PublicURL != "" && (err != nil || at.Host == "" || at.Scheme != "https" && at.Scheme != "http" || at.RawQuery != "") {
		faults = append(faults, errors.New("the public address must be like https://leads.example.com: correct --public-url (BATON_PUBLIC_URL)"))
	}
	if at, err := url.Parse(c.ConsoleURL); c.ConsoleURL != "" && (err != nil || at.Host == "" || at.Scheme != "https" && at.Scheme != "http" || at.RawQuery != "") {
		faults = append(faults, errors.New("the address of the pages must be like https://baton.example.com: correct --console-url (BATON_CONSOLE_URL)"))
	}
	if c.SMTPURL != "" {
		if _, err := delivery.NewMail(c.SMTPURL); err != nil {
			faults = append(faults, err)
		}
	}
	if c.RedisURL != "" {
		if store, err := routing.OpenRedis(c.RedisURL); err != nil {
			faults = append(faults, err)
		} else {
			faults = append(faults, store.Close())
		}
	}
	if _, err := intake.NewLimits(c.Limits, nil, nil, nil); err != nil {
		faults = append(faults, err)
	}
	for _, name := range c.Services {
		if !slices.Contains(allServices, name) {
			faults = append(faults, fmt.Errorf("%q is not a service; there are %s", name, strings.Join(allServices, ", ")))
		}
	}
	if len(c.Services) == 0 {
		c.Services = allServices
	}
	if len(c.Services) < len(allServices) && c.NATSURL == "" && c.NATSListen == "" {
		faults = append(faults, errors.New("some services alone need a NATS server that the others reach as well: set --nats (BATON_NATS_URL)"))
	}
	// The newcomer's source: open, unsigned, and shown as such.
	c.sources = append(c.sources, &intakev1.SourceDeclared{Name: "web"})
	for _, text := range c.Sources {
		src, err := parseSource(text)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		c.sources = append(c.sources, src)
	}
	return errors.Join(faults...)
}

func (c *Config) runs(service string) bool { return slices.Contains(c.Services, service) }

// parseSource reads a source's short form.
func parseSource(text string) (*intakev1.SourceDeclared, error) {
	parts := strings.Split(text, ",")
	src := &intakev1.SourceDeclared{Name: strings.TrimSpace(parts[0])}
	v := &intakev1.Verification{Algorithm: "hmac-sha256", Encoding: "hex"}
	for _, part := range parts[1:] {
		key, value, ok := strings.Cut(part, "=")
		if !ok {
			return nil, fmt.Errorf("source %q: %q is not a setting; write name=value", src.GetName(), part)
		}
		switch strings.TrimSpace(key) {
		case "header":
			v.Header = value
		case "prefix":
			v.Prefix = value
		case "encoding":
			v.Encoding = value
		case "secret":
			v.SecretRef = value
		case "honeypot":
			src.Honeypots = append(src.Honeypots, value)
		case "redirect":
			src.Redirects = append(src.Redirects, value)
		default:
			return nil, fmt.Errorf("source %q: %q is not a setting; there are header, prefix, encoding, secret, honeypot, redirect", src.GetName(), key)
		}
	}
	if v.GetHeader() != "" || v.GetSecretRef() != "" {
		if v.GetHeader() == "" || v.GetSecretRef() == "" {
			return nil, fmt.Errorf("source %q: a signed source needs header= and secret=file:PATH or secret=env:NAME", src.GetName())
		}
		src.Verification = v
	}
	return src, nil
}

// environ reads one variable for a source's secret.
func environ(name string) (string, bool) { return os.LookupEnv(name) }

// stopLimit bounds how long a stop may take.
const stopLimit = 20 * time.Second
