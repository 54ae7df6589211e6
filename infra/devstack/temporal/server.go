// Package temporal runs a Temporal server with its web interface inside this process, for one machine.
//
// It follows what the Temporal command line's own development server does, with two differences that matter to a
// lifecycle that waits for days: the database is a file in write-ahead-log mode that survives SIGKILL, and closed
// runs are kept for 90 days. One process owns one database file.
package temporal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	uiserver "github.com/temporalio/ui-server/v2/server"
	uiconfig "github.com/temporalio/ui-server/v2/server/config"
	uioptions "github.com/temporalio/ui-server/v2/server/server_options"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/server/common/authorization"
	"go.temporal.io/server/common/cluster"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/dynamicconfig"
	"go.temporal.io/server/common/headers"
	"go.temporal.io/server/common/membership/static"
	"go.temporal.io/server/common/persistence/sql/sqlplugin/sqlite"
	"go.temporal.io/server/common/primitives"
	sqliteschema "go.temporal.io/server/schema/sqlite"
	"go.temporal.io/server/temporal"
	"google.golang.org/protobuf/types/known/durationpb"
)

// Namespace is the only namespace of the local server.
const Namespace = "default"

const (
	host        = "127.0.0.1"
	clusterName = "active"
	retention   = 90 * 24 * time.Hour
)

// Config says where the server keeps its state and where it listens.
type Config struct {
	Folder           string // holds the database and its lock
	Port             int    // frontend, 127.0.0.1
	UIPort           int    // web interface; 0 means none
	SearchAttributes map[string]enums.IndexedValueType
	Logger           *slog.Logger // the server's own warnings and errors
}

// Server is a running Temporal server.
type Server struct {
	server temporal.Server
	ui     *uiserver.Server
	lock   *os.File
	Addr   string // of the frontend
	UIAddr string // URL of the web interface, "" when there is none
}

// ErrInUse marks a database folder that another process holds.
var ErrInUse = errors.New("in use by another process")

// Start boots the server; it returns when the frontend accepts connections.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	if err := os.MkdirAll(cfg.Folder, 0o700); err != nil {
		return nil, fmt.Errorf("start Temporal: make the folder for its database: %w; choose another with --state", err)
	}
	lock, err := lockFolder(cfg.Folder)
	if err != nil {
		return nil, err
	}
	s := &Server{lock: lock, Addr: net.JoinHostPort(host, strconv.Itoa(cfg.Port))}
	if err := s.boot(cfg); err != nil {
		lock.Close()
		return nil, fmt.Errorf("start Temporal: %w", err)
	}
	if err := waitForPort(ctx, s.Addr); err != nil {
		s.Stop()
		return nil, fmt.Errorf("start Temporal: the frontend at %s does not answer: %w", s.Addr, err)
	}
	return s, nil
}

// Stop ends the server and releases its database.
func (s *Server) Stop() {
	if s.ui != nil {
		s.ui.Stop()
	}
	_ = s.server.Stop()
	s.lock.Close()
}

func (s *Server) boot(cfg Config) error {
	conf, err := serverConfig(cfg)
	if err != nil {
		return err
	}
	hosts := map[primitives.ServiceName]static.Hosts{}
	for _, name := range []primitives.ServiceName{primitives.FrontendService, primitives.MatchingService, primitives.HistoryService, primitives.WorkerService} {
		hosts[name] = static.SingleLocalHost(net.JoinHostPort(host, strconv.Itoa(conf.Services[string(name)].RPC.GRPCPort)))
	}
	logger := serverLogger{cfg.Logger}
	authorizer, err := authorization.GetAuthorizerFromConfig(&conf.Global.Authorization)
	if err != nil {
		return err
	}
	claims, err := authorization.GetClaimMapperFromConfig(&conf.Global.Authorization, logger)
	if err != nil {
		return err
	}
	s.server, err = temporal.NewServer(
		temporal.WithConfig(conf),
		temporal.ForServices(temporal.DefaultServices),
		temporal.WithStaticHosts(hosts),
		temporal.WithLogger(logger),
		temporal.WithAuthorizer(authorizer),
		temporal.WithClaimMapper(func(*config.Config) authorization.ClaimMapper { return claims }),
		temporal.WithDynamicConfigClient(dynamicValues()),
	)
	if err != nil {
		return err
	}
	if err := s.server.Start(); err != nil {
		return err
	}
	if cfg.UIPort != 0 {
		s.UIAddr = "http://" + net.JoinHostPort(host, strconv.Itoa(cfg.UIPort))
		s.ui = uiserver.NewServer(uioptions.WithConfigProvider(&uiconfig.Config{
			Host: host, Port: cfg.UIPort, TemporalGRPCAddress: s.Addr, EnableUI: true, HideLogs: true,
			CORS: uiconfig.CORS{CookieInsecure: true}, DisableNewsFetch: true,
		}))
		go func() {
			if err := s.ui.Start(); err != nil {
				cfg.Logger.Error("the web interface stopped", "address", s.UIAddr, "error", err)
			}
		}()
	}
	return nil
}

// queuePolls is how often a second a history shard may look for new tasks. A large cluster has hundreds of shards at 20
// looks each; here there is one, and at 20 every step of a workflow would wait for up to 50 ms.
const queuePolls = 2000

// dynamicValues are the settings that differ from a large cluster's defaults.
func dynamicValues() dynamicconfig.StaticClient {
	return dynamicconfig.StaticClient{
		dynamicconfig.TransferProcessorMaxPollRPS.Key():                         queuePolls,
		dynamicconfig.TimerProcessorMaxPollRPS.Key():                            queuePolls,
		dynamicconfig.VisibilityProcessorMaxPollRPS.Key():                       queuePolls,
		dynamicconfig.HistoryCacheHostLevelMaxSize.Key():                        8096,
		dynamicconfig.FrontendMaxNamespaceVisibilityRPSPerInstance.Key():        100,
		dynamicconfig.MakeKey("system.forceSearchAttributesCacheRefreshOnRead"): true,
		dynamicconfig.MakeKey("matching.enableFairness"):                        true,
		dynamicconfig.MakeKey("matching.numTaskqueueReadPartitions"):            1,
		dynamicconfig.MakeKey("matching.numTaskqueueWritePartitions"):           1,
		dynamicconfig.MakeKey("matching.backlogMetricsEmitInterval"):            10 * time.Second,
		dynamicconfig.MakeKey("frontend.WorkflowPauseEnabled"):                  true,
	}
}

func serverConfig(cfg Config) (*config.Config, error) {
	sql, err := database(cfg)
	if err != nil {
		return nil, err
	}
	var conf config.Config
	conf.Global.Membership.MaxJoinDuration = 30 * time.Second
	conf.Global.Membership.BroadcastAddress = host
	conf.Persistence = config.Persistence{
		DefaultStore: "sqlite", VisibilityStore: "sqlite", NumHistoryShards: 1,
		DataStores: map[string]config.DataStore{"sqlite": {SQL: sql}},
	}
	ports, err := freePorts(4)
	if err != nil {
		return nil, err
	}
	frontend := net.JoinHostPort(host, strconv.Itoa(cfg.Port))
	conf.ClusterMetadata = &cluster.Config{
		FailoverVersionIncrement: 10, MasterClusterName: clusterName, CurrentClusterName: clusterName,
		ClusterInformation: map[string]cluster.ClusterInformation{clusterName: {
			Enabled: true, InitialFailoverVersion: 1, RPCAddress: frontend,
			HTTPAddress: net.JoinHostPort(host, strconv.Itoa(ports[3])),
		}},
	}
	conf.DCRedirectionPolicy.Policy = "noop"
	rpc := func(grpc, http int) config.Service {
		return config.Service{RPC: config.RPC{GRPCPort: grpc, HTTPPort: http, BindOnIP: host}}
	}
	conf.Services = map[string]config.Service{
		"frontend": rpc(cfg.Port, ports[3]), "history": rpc(ports[0], 0), "matching": rpc(ports[1], 0), "worker": rpc(ports[2], 0),
	}
	conf.Archival.History.State, conf.Archival.Visibility.State = "disabled", "disabled"
	conf.NamespaceDefaults.Archival.History.State, conf.NamespaceDefaults.Archival.Visibility.State = "disabled", "disabled"
	conf.PublicClient.HostPort = frontend
	return &conf, nil
}

// database prepares the SQLite file. There is no schema migration between server versions, so the version is part
// of the file's name: a newer server starts on a file of its own.
func database(cfg Config) (*config.SQL, error) {
	file := filepath.Join(cfg.Folder, "temporal-"+headers.ServerVersion+".db")
	// synchronous=1 (normal) in WAL mode loses nothing when the process is killed.
	sql := config.SQL{PluginName: sqlite.PluginName, DatabaseName: file, ConnectAttributes: map[string]string{
		"mode": "rwc", "journal_mode": "wal", "synchronous": "1", "busy_timeout": "10000",
	}}
	if err := setUpSchema(sql, file); err != nil {
		return nil, err
	}
	ns, err := sqliteschema.NewNamespaceConfig(clusterName, Namespace, false, cfg.SearchAttributes)
	if err != nil {
		return nil, fmt.Errorf("describe namespace %q: %w", Namespace, err)
	}
	ns.Detail.Config.Retention = durationpb.New(retention)
	if err := sqliteschema.CreateNamespaces(&sql, ns); err != nil {
		return nil, fmt.Errorf("create namespace %q in %s: %w", Namespace, file, err)
	}
	return &sql, nil
}

// setUpSchema makes a new database under another name first: a kill in the middle leaves no half-made file under
// the name that later starts trust.
func setUpSchema(sql config.SQL, file string) error {
	if _, err := os.Stat(file); err == nil {
		return nil
	}
	fresh := file + ".new"
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(fresh + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("clear an unfinished database: %w", err)
		}
	}
	making := sql
	making.DatabaseName = fresh
	making.ConnectAttributes = map[string]string{"mode": "rwc"}
	if err := sqliteschema.SetupSchema(&making); err != nil {
		return fmt.Errorf("set up the schema of %s: %w", file, err)
	}
	if err := os.Rename(fresh, file); err != nil {
		return fmt.Errorf("put the new database in place: %w", err)
	}
	return nil
}

// lockFolder makes sure that one process owns the database; the lock goes away with the process, however it ends.
func lockFolder(folder string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(folder, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("start Temporal: lock %s: %w; choose another folder with --state", folder, err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("start Temporal: the state folder %s is %w; stop the other stack or choose another folder with --state", folder, ErrInUse)
	}
	return f, nil
}

func freePorts(n int) ([]int, error) {
	var ports []int
	for range n {
		l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		defer l.Close() // held until all are chosen, so that they differ
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}

func waitForPort(ctx context.Context, addr string) error {
	var d net.Dialer
	for {
		conn, err := d.DialContext(ctx, "tcp", addr)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}
