package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/internal/telemetry"
)

func upCommand() *cobra.Command {
	cfg, envErr := fromEnvironment()
	var verbose bool
	cmd := &cobra.Command{
		Use:     "up [service…]",
		GroupID: groupRun,
		Short:   "Run Baton: every service, or the named ones",
		Long: `Run Baton until Ctrl-C. Without names, every service runs in this process, with
its own log and state beneath --data; nothing else is needed.

Services: ` + strings.Join(allServices, ", ") + `.

To run services apart, give each its own --data, one shared --keys, and the
address of a NATS server with JetStream and sync_interval: always:

  baton up intake --nats nats://localhost:4222 --keys ./keys --data ./intake

Everything listens on loopback unless told otherwise. The first start makes an
admin token, mode 0600, in the data directory.`,
		Example: `  baton up
  baton up --data /var/lib/baton --http 0.0.0.0:8080
  baton up --source 'github,header=X-Hub-Signature-256,prefix=sha256=,secret=file:github.secret'
  baton up routing --nats nats://nats:4222 --keys /var/lib/baton-keys`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if envErr != nil {
				return misused(cmd, "%s", envErr.Error())
			}
			cfg.Services = args
			if data, err := cmd.Flags().GetString("data"); err == nil {
				cfg.Data = data
			}
			cfg.telemetry = telemetry.Config{Version: version, LogLevel: slog.LevelInfo}
			if verbose {
				cfg.telemetry.LogLevel = slog.LevelDebug
			}
			return up(contextOf(cmd), cmd.ErrOrStderr(), cfg)
		},
	}
	cfg.flags(cmd.Flags())
	cmd.Flags().BoolVar(&verbose, "verbose", false, "log more")
	return cmd
}

// flags come before the environment.
func (c *Config) flags(f *pflag.FlagSet) {
	f.SortFlags = false
	f.StringVar(&c.HTTP, "http", c.HTTP, "public door; - = none (default 127.0.0.1:8080, BATON_HTTP)")
	f.StringVar(&c.PublicURL, "public-url", c.PublicURL, "address of the public door as the internet sees it, for senders that sign it and for links in mails, such as https://leads.example.com (BATON_PUBLIC_URL)")
	f.StringVar(&c.ConsoleURL, "console-url", c.ConsoleURL, "address of the pages as members reach them, for messages; empty = where this process shows them (BATON_CONSOLE_URL)")
	f.StringVar(&c.Console, "console", c.Console, "pages; - = none (default 127.0.0.1:8081, BATON_CONSOLE)")
	f.StringVar(&c.GRPC, "grpc", c.GRPC, "services; - = none (default 127.0.0.1:9090, BATON_GRPC)")
	f.StringVar(&c.Metrics, "metrics", c.Metrics, "metrics and health; - = none (default 127.0.0.1:9091, BATON_METRICS)")
	f.StringArrayVar(&c.Sources, "source", c.Sources, "a source: name,header=H,prefix=P,encoding=hex|base64,secret=file:PATH|env:NAME (BATON_SOURCES, separated by ;)")
	f.StringSliceVar(&c.Limits, "limit", c.Limits, "most deliveries a minute from a source: name=N, *=N for each that is not named; more are answered 429 (BATON_LIMITS)")
	f.StringVar(&c.DisposableDomains, "disposable-domains", c.DisposableDomains, "file of domains of throw-away addresses, beside the best known (BATON_DISPOSABLE_DOMAINS)")
	f.StringVar(&c.FreeDomains, "free-domains", c.FreeDomains, "file of domains of free-mail providers, beside the best known (BATON_FREE_DOMAINS)")
	f.StringVar(&c.NATSURL, "nats", c.NATSURL, "NATS server; empty = in this process (BATON_NATS_URL)")
	f.StringVar(&c.NATSListen, "nats-listen", c.NATSListen, "let other processes reach the NATS server in this process (BATON_NATS_LISTEN)")
	f.IntVar(&c.Replicas, "replicas", c.Replicas, "copies of each stream on a cluster (BATON_NATS_REPLICAS)")
	f.StringVar(&c.SQLURL, "sql", c.SQLURL, "read model; empty = a file in --data (BATON_SQL_URL)")
	f.StringVar(&c.RedisURL, "redis", c.RedisURL, "Redis for the routing state and the doors' limits; empty = in --data (BATON_REDIS_URL)")
	f.StringVar(&c.Keys, "keys", c.Keys, "directory of the key store and the signing keys; empty = in --data (BATON_KEYS)")
	f.StringVar(&c.Checkpoints, "checkpoints", c.Checkpoints, "where signed tree heads are kept away from --data; empty = beside it (BATON_CHECKPOINTS)")
	f.StringSliceVar(&c.Peers, "peer", c.Peers, "where a service runs that is not in this process: name=host:port (BATON_PEERS)")
	f.Uint64Var(&c.FreeFloor, "free-floor", c.FreeFloor, "free space in MiB below which nothing new is taken (default 256, BATON_FREE_FLOOR_MIB)")
	f.IntVar(&c.Retention, "intake-retention", c.Retention, "days for which kept bodies can be read again, 1 to 30 (default 14, BATON_INTAKE_RETENTION_DAYS)")
}

func up(ctx context.Context, out io.Writer, cfg Config) error {
	app, err := Start(ctx, cfg)
	if err != nil {
		return err
	}
	app.announce(out)
	<-ctx.Done()
	fmt.Fprintln(out, "Stopping: doors close, what is in hand is finished.")
	err = app.Stop(context.WithoutCancel(ctx))
	if err == nil {
		fmt.Fprintln(out, "Stopped.")
	}
	return err
}

// announce says where everything is and what to do next.
func (a *App) announce(out io.Writer) {
	if why := a.log.ReadOnly(); why != "" {
		fmt.Fprintf(out, "READ-ONLY: %s.\nNo lead is taken. Run baton verify to see what and where; then restore the backup.\n\n", strings.TrimSuffix(why, "."))
	}
	var f facts
	f.add("Services", strings.Join(a.cfg.Services, ", "))
	f.add("Data", a.cfg.Data)
	f.add("Checkpoints", a.cfg.Checkpoints)
	if a.HTTPAddr != "" {
		f.add("Door", "http://"+a.HTTPAddr+"/hooks/web")
	}
	if a.ConsoleAddr != "" {
		f.add("Console", "http://"+a.ConsoleAddr)
	}
	if a.GRPCAddr != "" {
		f.add("gRPC", a.GRPCAddr)
	}
	if a.MetricsAddr != "" {
		f.add("Metrics", "http://"+a.MetricsAddr+"/metrics")
	}
	f.add("Admin token", "in "+strings.TrimSuffix(a.cfg.token, "/")+"/admin.token")
	_ = f.write(out)
	agreed := false
	a.log.Follower().View(func(v *ledger.View) { agreed = a.register.InForce(v.Now) != nil })
	if a.HTTPAddr != "" && !agreed {
		fmt.Fprintf(out, "\nNo agreement is in force: leads are kept and wait. baton agreement init begins one.\n")
	}
	fmt.Fprintln(out, "\nReady. Ctrl-C stops.")
}
