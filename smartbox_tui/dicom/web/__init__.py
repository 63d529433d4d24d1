"""DICOMweb as its client (PS3.18): STOW-RS, QIDO-RS and WADO-RS on one connection, streamed, every wait bounded.

    service = Service(url="https://archive/dicom-web", auth=Auth("basic", user="box", password_file="/etc/…"))
    with Session(service) as session:
        for found in query.search_instances(session, study="1.2.3"):
            retrieve.retrieve_instance(session, found.study, found.series, found.sop, file.write)

A Session is used by one thread; `Session.abort` by any.
"""
