package ledger

import (
	"net"
	"path/filepath"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/leadbaton/baton/services/internal/fault"
)

// maxPayload bounds one message: the largest body the door takes, with room.
const maxPayload = 8 << 20

// embed starts a server inside this process. Its acknowledgement means synced:
// SyncAlways is not a choice, since the default of two minutes loses every
// acknowledged message of the last seconds when the power goes.
func embed(cfg Config) (*server.Server, error) {
	opts := &server.Options{
		ServerName: "baton",
		JetStream:  true,
		StoreDir:   filepath.Join(cfg.Dir, "log"),
		SyncAlways: true,
		// An explicit limit far above any disk: the derived default shrinks at
		// each restart. The floor on free space is ours.
		JetStreamMaxStore:  1 << 50,
		JetStreamMaxMemory: 1 << 28,
		MaxPayload:         maxPayload,
		// Signals are main's; the server's own handler would exit mid-stop.
		NoSigs:     true,
		NoLog:      true,
		DontListen: cfg.Listen == "" && cfg.Dialer == nil,
	}
	if !opts.DontListen {
		listen := cfg.Listen
		if listen == "" {
			listen = "127.0.0.1:-1"
		}
		host, port, err := net.SplitHostPort(listen)
		if err != nil {
			return nil, fault.New(fault.Invalid, "ledger: %q is not an address for the NATS server; write host:port", listen)
		}
		opts.Host = host
		if opts.Port, err = strconv.Atoi(port); err != nil {
			return nil, fault.New(fault.Invalid, "ledger: %q is not a port for the NATS server", port)
		}
	}
	srv, err := server.NewServer(opts)
	if err != nil {
		return nil, fault.New(fault.Unavailable, "ledger: cannot make the embedded NATS server: %w", err)
	}
	go srv.Start()
	if !srv.ReadyForConnections(30 * time.Second) {
		srv.Shutdown()
		return nil, fault.New(fault.Unavailable, "ledger: the embedded NATS server did not become ready within 30 s; look at the data directory %s", opts.StoreDir)
	}
	return srv, nil
}
