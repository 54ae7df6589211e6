package table
import ("testing";"context";"fmt";"github.com/assay-ml/assay/internal/spec")
func TestZZ(t *testing.T){
 store := newStore(t)
 snap := mustTake(t, store, spec.Source{URI: "synthetic://credit?rows=400000&seed=1"})
 path,_,_:=store.Local(context.Background(),snap.Data)
 for _,mb:=range []int64{60,100,150,200}{ for _,cut:=range []bool{false,true} {
 s,_:=Limits{MemoryBytes:mb<<20,Threads:1}.open(context.Background())
 out:=s.path("o.parquet")
 if cut { s.cutOff(context.Background(),path,out) } else { s.exec(context.Background(),"create view data as select * from "+numbered(path)) }
 _,err:=s.transformed(context.Background(),"select * from data order by md5(application_id)",out)
 fmt.Println(mb,cut,err); 
 s.each(context.Background(),"select name,value from duckdb_settings() where name in ('temp_directory','max_temp_directory_size','memory_limit')",func(v []any)error{fmt.Println(v);return nil})
 s.close()
 }}
}
