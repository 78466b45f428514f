//! Sessions, configuration, artifacts, the token, and what is no gRPC at all.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;

async fn version(
    f: &mut Fixture,
    session: &str,
    observed: Option<&str>,
) -> std::result::Result<pb::AnalyzePlanResponse, Status> {
    let request = pb::AnalyzePlanRequest {
        session_id: session.to_string(),
        client_observed_server_side_session_id: observed.map(str::to_string),
        analyze: Some(pb::analyze_plan_request::Analyze::SparkVersion(Default::default())),
        ..Default::default()
    };
    Ok(f.client.analyze_plan(request).await?.into_inner())
}

#[tokio::test]
async fn a_session_is_known_by_its_ids() -> Outcome {
    let mut f = start(ServeOptions::default()).await?;
    let session = f.session.clone();
    let first = version(&mut f, &session, None).await?;
    assert_eq!(first.session_id, session);
    let server_side = first.server_side_session_id.clone();
    assert_eq!(version(&mut f, &session, Some(&server_side)).await?.server_side_session_id, server_side);
    let other = Uuid::new_v4().to_string();
    for (session, observed, expected) in [
        ("abc", None, "INVALID_HANDLE.FORMAT"),
        (session.as_str(), Some(other.as_str()), "INVALID_HANDLE.SESSION_CHANGED"),
        (other.as_str(), Some(server_side.as_str()), "INVALID_HANDLE.SESSION_CHANGED"),
    ] {
        assert_eq!(condition(version(&mut f, session, observed).await.err().as_ref()), expected);
    }
    Ok(())
}

#[tokio::test]
async fn closed_sessions_are_remembered() -> Outcome {
    let mut f = start(ServeOptions::default()).await?;
    let session = f.session.clone();
    version(&mut f, &session, None).await?;
    let release = |allow_reconnect| pb::ReleaseSessionRequest {
        session_id: session.clone(),
        allow_reconnect,
        ..Default::default()
    };
    assert!(!f.client.release_session(release(true)).await?.into_inner().server_side_session_id.is_empty());
    version(&mut f, &session, None).await?;
    assert!(!f.client.release_session(release(false)).await?.into_inner().server_side_session_id.is_empty());
    assert!(f.client.release_session(release(false)).await?.into_inner().server_side_session_id.is_empty());
    let error = version(&mut f, &session, None).await.err();
    assert_eq!(condition(error.as_ref()), "INVALID_HANDLE.SESSION_CLOSED");
    assert!(error.is_some_and(|e| !info(&e).metadata.contains_key("errorId")));
    let (_, error) = f.reattach(&Uuid::new_v4().to_string(), None).await;
    assert_eq!(condition(error.as_ref()), "INVALID_HANDLE.SESSION_CLOSED");
    f.session = Uuid::new_v4().to_string();
    let (_, error) = f.reattach(&Uuid::new_v4().to_string(), None).await;
    assert_eq!(condition(error.as_ref()), "INVALID_HANDLE.SESSION_NOT_FOUND");
    Ok(())
}

#[tokio::test]
async fn a_clone_has_the_configuration_of_its_source() -> Outcome {
    use pb::config_request::operation::OpType;
    let mut f = start(ServeOptions::default()).await?;
    let pairs = vec![pb::KeyValue { key: "foo.bar".into(), value: Some("1".into()) }];
    config(&mut f, OpType::Set(pb::config_request::Set { pairs, silent: None })).await?;
    let request = pb::CloneSessionRequest { session_id: f.session.clone(), ..Default::default() };
    let cloned = f.client.clone_session(request).await?.into_inner();
    assert_ne!(cloned.new_server_side_session_id, cloned.server_side_session_id);
    f.session = cloned.new_session_id;
    let all = config(&mut f, OpType::GetAll(pb::config_request::GetAll { prefix: Some("foo.".into()) })).await?;
    assert_eq!(all.pairs, [pb::KeyValue { key: "bar".into(), value: Some("1".into()) }]);
    f.session = Uuid::new_v4().to_string();
    let request = pb::CloneSessionRequest { session_id: f.session.clone(), ..Default::default() };
    let error = f.client.clone_session(request).await.err();
    assert_eq!(condition(error.as_ref()), "INVALID_HANDLE.SESSION_NOT_FOUND");
    Ok(())
}

async fn config(
    f: &mut Fixture,
    op: pb::config_request::operation::OpType,
) -> std::result::Result<pb::ConfigResponse, Status> {
    let request = pb::ConfigRequest {
        session_id: f.session.clone(),
        operation: Some(pb::config_request::Operation { op_type: Some(op) }),
        ..Default::default()
    };
    Ok(f.client.config(request).await?.into_inner())
}

#[tokio::test]
async fn configuration_answers_as_spark_does() -> Outcome {
    use pb::config_request::operation::OpType;
    use pb::config_request::{Get, GetOption, IsModifiable, Set};
    let mut f = start(ServeOptions::default()).await?;
    let keys = |keys: &[&str]| keys.iter().map(|k| k.to_string()).collect::<Vec<_>>();
    let pair = |k: &str, v: &str| pb::KeyValue { key: k.into(), value: Some(v.into()) };

    let got = config(&mut f, OpType::Get(Get { keys: keys(&["spark.sql.ansi.enabled"]) })).await?;
    assert_eq!(got.pairs, [pair("spark.sql.ansi.enabled", "true")]);
    let unknown = config(&mut f, OpType::Get(Get { keys: keys(&["no.such"]) })).await.err();
    assert_eq!(condition(unknown.as_ref()), "SQL_CONF_NOT_FOUND");
    let option = config(&mut f, OpType::GetOption(GetOption { keys: keys(&["no.such"]) })).await?;
    assert_eq!(option.pairs, [pb::KeyValue { key: "no.such".into(), value: None }]);
    let modifiable =
        config(&mut f, OpType::IsModifiable(IsModifiable { keys: keys(&["spark.sql.ansi.enabled", "foo"]) })).await?;
    assert_eq!(modifiable.pairs, [pair("spark.sql.ansi.enabled", "true"), pair("foo", "false")]);

    let pairs = vec![pair("spark.sql.warehouse.dir", "/x"), pair("my.key", "1")];
    let loud = config(&mut f, OpType::Set(Set { pairs: pairs.clone(), silent: None })).await.err();
    assert_eq!(condition(loud.as_ref()), "CANNOT_MODIFY_STATIC_CONFIG");
    let silent = config(&mut f, OpType::Set(Set { pairs, silent: Some(true) })).await?;
    assert_eq!(silent.warnings.len(), 1);
    let rest = config(&mut f, OpType::Get(Get { keys: keys(&["my.key"]) })).await?;
    assert_eq!(rest.pairs, [pair("my.key", "1")], "the rest was set");
    Ok(())
}

#[tokio::test]
async fn artifacts_are_kept_if_their_checksum_holds() -> Outcome {
    use pb::add_artifacts_request::{ArtifactChunk, Batch, BeginChunkedArtifact, Payload, SingleChunkArtifact};
    let mut f = start(ServeOptions::default()).await?;
    let chunk = |data: &'static [u8], crc: Option<u32>| ArtifactChunk {
        data: data.into(),
        crc: i64::from(crc.unwrap_or_else(|| crc32fast::hash(data))),
    };
    let single = |name: &str, crc| {
        let artifact = SingleChunkArtifact { name: name.into(), data: Some(chunk(b"hello", crc)) };
        Payload::Batch(Batch { artifacts: vec![artifact] })
    };
    let begin = Payload::BeginChunk(BeginChunkedArtifact {
        name: "files/big".into(),
        total_bytes: 10,
        num_chunks: 2,
        initial_chunk: Some(chunk(b"01234", None)),
    });
    let payloads = [single("cache/a", None), begin, Payload::Chunk(chunk(b"56789", None)), single("files/b", Some(1))];
    let session_id = f.session.clone();
    let message =
        move |p| pb::AddArtifactsRequest { session_id: session_id.clone(), payload: Some(p), ..Default::default() };
    let sent = f.client.add_artifacts(futures::stream::iter(payloads.map(message.clone()))).await?.into_inner();
    let told: Vec<_> = sent.artifacts.iter().map(|a| (a.name.as_str(), a.is_crc_successful)).collect();
    assert_eq!(told, [("cache/a", true), ("files/big", true), ("files/b", false)]);
    let names: Vec<String> = ["cache/a", "files/big", "files/b"].map(str::to_string).to_vec();
    let request =
        pb::ArtifactStatusesRequest { session_id: f.session.clone(), names: names.clone(), ..Default::default() };
    let statuses = f.client.artifact_status(request).await?.into_inner().statuses;
    let exist: Vec<bool> = names.iter().map(|n| statuses.get(n).is_some_and(|s| s.exists)).collect();
    assert_eq!(exist, [true, true, false]);
    for name in ["files/../../x", "/etc/x", "a//b"] {
        let error = f.client.add_artifacts(futures::stream::iter([message(single(name, None))])).await.err();
        assert_eq!(condition(error.as_ref()), "INVALID_ARTIFACT_PATH", "{name}");
    }
    Ok(())
}

#[tokio::test]
async fn the_token_is_asked_for_if_there_is_one() -> Outcome {
    let mut f = start(ServeOptions { token: Some("secret".into()), ..Default::default() }).await?;
    for (header, code) in [
        (None, tonic::Code::Unauthenticated),
        (Some("Bearer wrong"), tonic::Code::Unauthenticated),
        (Some("Bearer secret"), tonic::Code::Ok),
    ] {
        let mut request = tonic::Request::new(pb::AnalyzePlanRequest {
            session_id: f.session.clone(),
            analyze: Some(pb::analyze_plan_request::Analyze::SparkVersion(Default::default())),
            ..Default::default()
        });
        if let Some(header) = header {
            request.metadata_mut().insert("authorization", header.parse()?);
        }
        let answered = f.client.analyze_plan(request).await;
        assert_eq!(answered.err().map_or(tonic::Code::Ok, |s| s.code()), code, "{header:?}");
    }
    Ok(())
}

#[tokio::test]
async fn garbage_on_the_port_harms_nobody() -> Outcome {
    let mut f = start(ServeOptions::default()).await?;
    for garbage in
        [b"GET / HTTP/1.1\r\n\r\n".as_slice(), &[0xff; 4096], b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\xff\xff"]
    {
        let mut stream = TcpStream::connect(f.address).await?;
        // The server may close before it has read everything.
        let _ = stream.write_all(garbage).await;
        let _ = stream.shutdown().await;
        let mut answer = Vec::new();
        let _ = tokio::time::timeout(Duration::from_secs(2), stream.read_to_end(&mut answer)).await;
    }
    let session = f.session.clone();
    assert!(version(&mut f, &session, None).await.is_ok());
    Ok(())
}
